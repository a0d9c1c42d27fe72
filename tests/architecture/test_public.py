"""The public API: what `import imgpool` offers, and what it and the command line load."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imgpool
import imgpool.plugins
import imgpool.testing

HEAVY = {"numpy", "skimage", "scipy", "cv2", "PIL", "tifffile", "imagecodecs", "pydantic", "psutil", "yaml"}
NOT_FOR_HELP = {"numpy", "skimage", "scipy", "cv2", "PIL", "tifffile", "imagecodecs"}
ONLY_FOR_WORKERS = {"skimage", "scipy", "cv2", "imagecodecs", "tifffile", "threadpoolctl"}
ONLY_FOR_TERMINALS = {"rich"}

IMPORT = """
import json, os, sys, threading
before = os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else [""]
import imgpool
after = os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else [""]
with open(sys.argv[1], "w") as file:
    json.dump({
        "modules": sorted(sys.modules),
        "python_threads": threading.active_count(),
        "new_threads": len(after) - len(before),
    }, file)
"""

COMMAND = """
import json, sys
from imgpool.cli import main
report, sys.argv = sys.argv[1], ["imgpool", *sys.argv[2:]]
try:
    main()
finally:
    with open(report, "w") as file:
        json.dump({"modules": sorted(sys.modules)}, file)
"""


def run(tmp_path, program, *arguments):
    """Run a program in a new interpreter, outside the repository; return the process and what it reported."""
    path = tmp_path / "report.json"
    command = [sys.executable, "-c", program, str(path), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    return done, json.loads(path.read_text())


def top_level(modules):
    return {module.partition(".")[0] for module in modules}


def test_every_public_name_has_a_home():
    assert set(imgpool.__all__) == set(imgpool._MODULES) | {"__version__"}
    assert list(imgpool.__all__) == sorted(imgpool.__all__)


@pytest.mark.parametrize("name", imgpool.__all__)
def test_public_name_can_be_imported_and_has_a_docstring(name):
    value = getattr(imgpool, name)
    assert value is getattr(imgpool, name)
    assert name == "__version__" or value.__doc__
    assert name in dir(imgpool)


def test_type_checker_and_interpreter_see_the_same_homes():
    tree = ast.parse(Path(imgpool.__file__).read_text("utf-8"))
    (for_types,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in for_types.body for alias in node.names}
    assert seen == imgpool._MODULES


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'proces'"):
        imgpool.proces  # noqa: B018 - the look-up is the test
    assert not hasattr(imgpool, "proces")


def test_import_loads_no_library_and_starts_no_thread(tmp_path):
    done, report = run(tmp_path, IMPORT)
    assert (done.stdout, done.stderr) == ("", "")
    assert (report["python_threads"], report["new_threads"]) == (1, 0)
    assert not top_level(report["modules"]) & HEAVY
    assert "multiprocessing" not in report["modules"]  # so no process was started either


def test_imports_are_reported(tmp_path):
    _, report = run(tmp_path, IMPORT.replace("import imgpool", "import imgpool; imgpool.Image"))
    assert "numpy" in report["modules"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["process", "--help"], ["filters", "--help"]])
def test_help_loads_no_heavy_library(tmp_path, arguments):
    done, report = run(tmp_path, COMMAND, *arguments)
    assert "imgpool" in done.stdout
    assert done.stderr == ""
    assert not top_level(report["modules"]) & NOT_FOR_HELP


@pytest.mark.parametrize("recipe", [["-f", "gaussian:sigma=2"], ["-r", "enhance"], ["-f", "median:size=3", "-q"]])
def test_parent_does_not_load_what_only_workers_need(tmp_path, recipe):
    (tmp_path / "in").mkdir()
    imgpool.write(imgpool.Image.from_array(np.zeros((9, 9), np.uint16)), tmp_path / "in" / "a.tif")
    _, report = run(tmp_path, COMMAND, "process", str(tmp_path / "in"), *recipe)
    assert (tmp_path / "in-processed" / "a.tif").exists()
    assert not top_level(report["modules"]) & (ONLY_FOR_WORKERS | ONLY_FOR_TERMINALS)


def test_version_is_the_same_everywhere(tmp_path):
    done, _ = run(tmp_path, COMMAND, "--version")
    assert done.stdout == f"imgpool {imgpool.__version__}\n"
    command = [sys.executable, "-m", "imgpool", "--version"]
    module = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert module.stdout == done.stdout


@pytest.mark.parametrize("module", [imgpool.plugins, imgpool.testing], ids=["plugins", "testing"])
def test_every_name_for_plugin_authors_can_be_imported(module):
    assert list(module.__all__) == sorted(module.__all__)
    assert set(module._MODULES) <= set(module.__all__)
    assert {name: getattr(module, name).__name__ for name in module._MODULES} == {
        name: name for name in module._MODULES
    }
    assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'filtre'"):
        module.filtre  # noqa: B018 - the look-up is the test
