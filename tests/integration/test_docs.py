"""The documentation is true: its tables are the catalogue, its links lead somewhere, its commands and code run.

``UPDATE_DOCS=1 python -m pytest tests/integration/test_docs.py -k tables`` writes the tables again.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise, zip_longest
from pathlib import Path

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.recipe import Recipe, built_in_recipes
from imgpool.report.listing import recipe_json

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CATALOGUE = ROOT / "docs" / "catalogue.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUNNABLE = [README, ROOT / "docs" / "models.md", ROOT / "docs" / "speed.md"]
MAX_README_WORDS = 1500


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def built_in(catalogue):
    return sorted(catalogue.built_in(), key=lambda plugin: plugin.name)


def filters_table():
    rows = []
    for filter_ in built_in(FILTERS):
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
    rows = [[f"`{each.name}`", " ".join(f"`{e}`" for e in each.extensions), each.holds] for each in built_in(FORMATS)]
    return table(["format", "extensions", "holds"], rows)


@pytest.mark.parametrize(
    ("name", "generate"), [("filters", filters_table), ("recipes", recipes_table), ("formats", formats_table)]
)
def test_tables_show_the_catalogue(name, generate):
    block = re.compile(rf"(<!-- {name}: .*? -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    if os.environ.get("UPDATE_DOCS"):
        text = CATALOGUE.read_text("utf-8")
        CATALOGUE.write_text(block.sub(lambda match: match[1] + generate() + "\n" + match[3], text), "utf-8")
    found = block.search(CATALOGUE.read_text("utf-8"))
    assert found
    assert found[2].strip() == generate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_page_is_linked():
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+\.md)", page.read_text("utf-8"))
    }
    assert not [page for page in PAGES if page != README and page.resolve() not in linked]


def test_readme_is_short():
    assert len(README.read_text("utf-8").split()) <= MAX_README_WORDS


def sessions(page):
    """The commands of a page, in order, each with the output that is printed below it."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        command, shown = "", []
        for line in [*block.splitlines(), "$ "]:
            if line.startswith("$ "):
                if command.startswith("imgpool"):
                    yield command, shown
                command, shown = line.removeprefix("$ "), []
            else:
                shown.append(line)


def without_numbers(lines):
    """Lines with times, sizes and counts made equal; the last depends on files beside the images."""
    return [re.sub(r"\d[\d.,]*", "#", line) for line in lines]


@pytest.fixture
def workplace(tmp_path):
    files = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sample_images", tmp_path / "sample_images", ignore=files)
    return tmp_path


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_commands_print_what_the_page_shows(page, imgpool, workplace):
    assert list(sessions(page))
    for command, shown in sessions(page):
        line, _, comment = command.partition("#")
        expected = int(comment.removeprefix(" exit ")) if comment else 0
        done = imgpool(*shlex.split(line)[1:], cwd=workplace)
        assert done.code == expected, f"{command}\n{done.stderr}"
        printed = (done.stdout + done.stderr).splitlines()
        pairs = zip_longest(without_numbers(printed), without_numbers(shown))
        assert not shown or all(found == stated for found, stated in pairs), f"{command}\n{done.stdout}{done.stderr}"


def test_python_example_runs(workplace):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    script = workplace / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script], cwd=workplace, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(512, 512) uint16 YX" in done.stdout
    assert (workplace / "sharp.ome.tif").is_file()


@pytest.mark.parametrize("page", [README, CATALOGUE], ids=lambda page: page.name)
def test_recipe_example_is_valid(page, tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "spots.yaml").write_text(text)
    assert [step.filter for step in Recipe.load(tmp_path / "spots.yaml").steps][-1] == "label"


def cookbook_commands():
    text = (ROOT / "docs" / "cookbook.md").read_text("utf-8") + README.read_text("utf-8")
    commands = re.findall(r"`(imgpool process [^`]*)`", text)
    return sorted({command for command in commands if re.search(r" (-f|-r) ", command)})


@pytest.mark.parametrize("command", cookbook_commands())
def test_recipes_of_the_cookbook_are_valid(command, tmp_path, monkeypatch):
    """Each command's filters, recipe and output format parse; files that it names need not exist."""
    words = shlex.split(command)
    monkeypatch.chdir(tmp_path)
    filters = [value for word, value in pairwise(words) if word == "-f"]
    if any(re.search(r"=[\w.]+\.(tif|zip)\b", spec) for spec in filters) or "mine.yaml" in words:
        pytest.skip("names a file of the reader's")
    recipe = Recipe.from_specs(filters) if filters else Recipe.load(words[words.index("-r") + 1])
    assert recipe.fingerprint()


@pytest.mark.parametrize(
    "command", ["process", "compare", "status", "verify", "filters", "recipes", "formats", "models", "estimate"]
)
def test_every_command_is_in_the_readme(command):
    assert f"imgpool {command}" in README.read_text("utf-8")


def test_every_documented_option_exists(imgpool):
    commands = ("process", "compare", "status", "verify", "models", "estimate flat-field")
    help_text = "".join(imgpool(*command.split(), "--help", env={"COLUMNS": "200"}).stdout for command in commands)
    documented = {"README.md", "cookbook.md", "overnight.md", "failures.md", "speed.md", "models.md", "catalogue.md"}
    for page in (page for page in PAGES if page.name in documented):
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text("utf-8"))):
            assert option in help_text, f"{page.name}: {option}"
