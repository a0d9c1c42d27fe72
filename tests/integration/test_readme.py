"""The README tells the truth: its tables are the catalogue, and its commands and code run as they stand.

``UPDATE_README=1 make test`` writes the tables anew.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.recipe import Recipe, built_in_recipes
from imgpool.report.listing import recipe_json

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def filters_table():
    rows = []
    for filter_ in FILTERS:
        parameters = ", ".join(
            f"`{each['name']}`"
            if each["required"] or each["default"] is None
            else f"`{each['name']}={each['default']}`"
            for each in filter_.describe()
        )
        rows.append([f"`{filter_.name}`", filter_.summary, parameters])
    return table(["filter", "what it does", "parameters and defaults"], rows)


def recipes_table():
    rows = [
        [
            f"`{name}`",
            Recipe.load(name).description,
            " → ".join(f"`{next(iter(s))}`" for s in recipe_json(name)["steps"]),
        ]
        for name in built_in_recipes()
    ]
    return table(["recipe", "what it is for", "steps"], rows)


def formats_table():
    rows = [[f"`{each.name}`", " ".join(f"`{e}`" for e in each.extensions), each.holds] for each in FORMATS]
    return table(["format", "extensions", "holds"], rows)


@pytest.mark.parametrize(
    ("name", "made"), [("filters", filters_table), ("recipes", recipes_table), ("formats", formats_table)]
)
def test_tables_are_the_catalogue(name, made):
    block = re.compile(rf"(<!-- {name}: .*? -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    if os.environ.get("UPDATE_README"):
        text = README.read_text("utf-8")
        README.write_text(block.sub(lambda match: match[1] + made() + "\n" + match[3], text), "utf-8")
    found = block.search(README.read_text("utf-8"))
    assert found
    assert found[2].strip() == made()


COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ imgpool")
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    place = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_images", place / "sample_images")
    return place


def test_there_are_commands():
    assert len(COMMANDS) >= 8


def test_commands_run_as_they_stand(imgpool, workplace):
    for command in COMMANDS:
        line, _, comment = command.partition("#")
        expected = int(comment.removeprefix(" exit ")) if comment else 0
        done = imgpool(*shlex.split(line)[1:], cwd=workplace)
        assert done.code == expected, f"{command}\n{done.stderr}"


def test_python_runs_as_it_stands(workplace):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    script = workplace / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script], cwd=workplace, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(512, 512) uint16 YX" in done.stdout
    assert (workplace / "sharp.ome.tif").is_file()


def test_the_recipe_is_valid(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "spots.yaml").write_text(text)
    assert [step.filter for step in Recipe.load(tmp_path / "spots.yaml").steps][-1] == "label"


@pytest.mark.parametrize(
    "command", ["process", "compare", "status", "verify", "filters", "recipes", "formats", "models", "estimate"]
)
def test_every_command_is_in_the_readme(command):
    assert f"imgpool {command}" in TEXT


def test_every_option_is_in_the_help_and_no_other_in_the_readme(imgpool):
    commands = ("process", "compare", "status", "verify", "models", "estimate flat-field")
    help_text = "".join(imgpool(*command.split(), "--help", env={"COLUMNS": "200"}).stdout for command in commands)
    for option in set(re.findall(r"--[a-z][a-z-]+", TEXT)):
        assert option in help_text, option
