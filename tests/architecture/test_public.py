"""The public face: what `import imgpool` offers, and what it and the command line cost."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import imgpool

HEAVY = {"numpy", "skimage", "scipy", "cv2", "PIL", "tifffile", "imagecodecs", "pydantic", "psutil", "yaml"}
SLOW_FOR_HELP = {"numpy", "skimage", "scipy", "cv2", "PIL", "tifffile", "imagecodecs"}
FOR_WORKERS = {"skimage", "scipy", "cv2", "imagecodecs", "tifffile", "threadpoolctl"}
ON_A_TERMINAL = {"rich"}

WHAT_IT_COSTS = """
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
    """Run a program in a fresh interpreter, away from the checkout; what it printed, and what it reported."""
    report = tmp_path / "report.json"
    command = [sys.executable, "-c", program, str(report), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    return done, json.loads(report.read_text())


def top_level(modules):
    return {module.partition(".")[0] for module in modules}


def test_what_is_public_is_what_has_a_home():
    assert set(imgpool.__all__) == set(imgpool._MODULES) | {"__version__"}
    assert list(imgpool.__all__) == sorted(imgpool.__all__)


@pytest.mark.parametrize("name", imgpool.__all__)
def test_every_public_name_can_be_imported_and_is_explained(name):
    value = getattr(imgpool, name)
    assert value is getattr(imgpool, name)
    assert name == "__version__" or value.__doc__
    assert name in dir(imgpool)


def test_a_type_checker_sees_the_same_homes_as_the_interpreter():
    tree = ast.parse(Path(imgpool.__file__).read_text("utf-8"))
    (for_types,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in for_types.body for alias in node.names}
    assert seen == imgpool._MODULES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'proces'"):
        imgpool.proces  # noqa: B018 - the look-up is the test
    assert not hasattr(imgpool, "proces")


def test_importing_costs_next_to_nothing(tmp_path):
    done, told = run(tmp_path, WHAT_IT_COSTS)
    assert (done.stdout, done.stderr) == ("", "")
    assert (told["python_threads"], told["new_threads"]) == (1, 0)
    assert not top_level(told["modules"]) & HEAVY
    assert "multiprocessing" not in told["modules"]  # so no process was started either


def test_the_measure_of_cost_sees_what_is_imported(tmp_path):
    _, told = run(tmp_path, WHAT_IT_COSTS.replace("import imgpool", "import imgpool; imgpool.Image"))
    assert "numpy" in told["modules"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["process", "--help"], ["filters", "--help"]])
def test_help_loads_nothing_heavy(tmp_path, arguments):
    done, told = run(tmp_path, COMMAND, *arguments)
    assert "imgpool" in done.stdout
    assert done.stderr == ""
    assert not top_level(told["modules"]) & SLOW_FOR_HELP


@pytest.mark.parametrize("recipe", [["-f", "gaussian:sigma=2"], ["-r", "enhance"], ["-f", "median:size=3", "-q"]])
def test_a_run_leaves_to_its_workers_what_only_they_need(tmp_path, recipe):
    (tmp_path / "in").mkdir()
    imgpool.write(imgpool.Image.from_array(np.zeros((9, 9), np.uint16)), tmp_path / "in" / "a.tif")
    _, told = run(tmp_path, COMMAND, "process", str(tmp_path / "in"), *recipe)
    assert (tmp_path / "in-processed" / "a.tif").exists()
    assert not top_level(told["modules"]) & (FOR_WORKERS | ON_A_TERMINAL)


def test_the_version_is_one_and_the_same(tmp_path):
    done, _ = run(tmp_path, COMMAND, "--version")
    assert done.stdout == f"imgpool {imgpool.__version__}\n"
    command = [sys.executable, "-m", "imgpool", "--version"]
    module = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert module.stdout == done.stdout
