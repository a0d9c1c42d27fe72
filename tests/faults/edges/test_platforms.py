"""The command where the standard library lacks what Windows or macOS lacks: see `tests.support.platforms.imitation`."""

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hashes import output_hashes
from tests.support.platforms import FOLDERS
from tests.support.runs import Running, command, records, seconds_until
from tests.support.scales import scaled
from tests.support.small_runs import write_png
from tests.support.warm_start import WarmCommand

if sys.platform != "linux":
    pytest.skip("imitates other systems on Linux", allow_module_level=True)

CTRL_C, CTRL_BREAK = signal.SIGINT, signal.SIGUSR1
slow = pytest.mark.slow
platforms = pytest.mark.parametrize("platform", FOLDERS)
mostly_windows = pytest.mark.parametrize("platform", ["windows", pytest.param("macos", marks=slow)])


@pytest.fixture(scope="module")
def commands():
    """Call the command on an imitated system: its exit code, stdout and stderr."""
    warm = {name: WarmCommand(folder) for name, folder in FOLDERS.items()}

    def call(platform, *arguments):
        environment = {**os.environ, "PYTHONPATH": str(FOLDERS[platform]), "COLUMNS": "100"}
        code, stdout, stderr = warm[platform].run([*map(str, arguments)], None, environment, 100)
        assert b"Traceback" not in stderr, stderr.decode()
        return code, stdout.decode(), stderr.decode()

    yield call
    for each in warm.values():
        each.close()


@pytest.fixture
def running(tmp_path):
    """Start a command on an imitated system, with the poison plug-ins."""
    with contextlib.ExitStack() as stack:

        def start(platform, *arguments):
            words = [*command(*arguments)]
            return stack.enter_context(
                contextlib.closing(Running(words, tmp_path, PYTHONPATH=str(FOLDERS[platform]), COLUMNS="100"))
            )

        yield start


@pytest.fixture
def photos(tmp_path, sample_images):
    folder = tmp_path / "in"
    (folder / "trip").mkdir(parents=True)
    for name in ("galaxy.png", "pollen.jpg", "nuclei.tif"):
        shutil.copy(sample_images / name, folder)
    shutil.copy(sample_images / "icon.png", folder / "trip")
    return folder


def waiting_images(folder, count):
    """Images that are processed until a file named "go" appears in their folder of marks."""
    for number in range(count):
        mark = folder.parent / "marks" / f"{number:02}"
        mark.mkdir(parents=True)
        (folder / f"{number:02}.poison").write_text(f"wait {mark}")
    return folder.parent / "marks"


def let_go(marks):
    for mark in marks.iterdir():
        (mark / "go").touch()


@platforms
def test_run_and_resume_give_the_same_files_as_linux(commands, imgpool, platform, photos, tmp_path):
    expected, output = tmp_path / "linux", tmp_path / "out"
    assert imgpool("process", photos, "-o", expected, "--serial").code == 0
    code, stdout, _ = commands(platform, "process", photos, "-o", output, "-j", 2, "--json")
    assert (code, json.loads(stdout)["done"]) == (0, 4)
    assert output_hashes(output) == output_hashes(expected)
    write_png(photos / "galaxy.png")
    code, stdout, _ = commands(platform, "process", photos, "-o", output, "-n")
    assert code == 0
    assert "1 images to process" in stdout or "1 image to process" in stdout
    code, stdout, _ = commands(platform, "process", photos, "-o", output, "--serial", "--json")
    assert [json.loads(stdout)[name] for name in ("done", "skipped")] == [1, 3]
    assert [commands(platform, name, output)[0] for name in ("status", "verify")] == [0, 0]
    assert not (output / ".imgpool" / "tmp").exists()


@slow
@platforms
def test_compare_is_right_and_leaves_no_process(running, platform, tmp_path):
    for number in range(2):
        write_png(tmp_path / "in" / f"{number}.png")
    run = running(platform, "compare", tmp_path / "in", "-j", 1, "--json", "-f", "invert")
    outcome = run.wait()
    assert (outcome.code, outcome.json["same"]) == (0, True)
    assert platform == "windows" or "leaked" not in outcome.stderr  # Windows has no semaphores with names
    assert seconds_until(lambda: not run.processes()) is not None


IMPORT_ALL = """
import importlib, pkgutil, imgpool
for module in pkgutil.walk_packages(imgpool.__path__, "imgpool."):
    if module.name != "imgpool.__main__" and ".testing" not in module.name:
        importlib.import_module(module.name)
"""


@platforms
def test_every_module_can_be_imported(platform):
    environment = {**os.environ, "PYTHONPATH": str(FOLDERS[platform])}
    subprocess.run([sys.executable, "-c", IMPORT_ALL], env=environment, check=True, timeout=100)


@mostly_windows
def test_killed_worker_fails_its_image_alone(running, platform, photos, tmp_path):
    (photos / "bad.poison").write_text("kill")
    run = running(platform, "process", photos, "-o", tmp_path / "out", "--engine", "pool", "-j", 1, "--json")
    outcome = run.wait()
    assert outcome.code == 1
    assert [outcome.json[name] for name in ("done", "failed")] == [4, 1]
    assert "was killed" in outcome.json["failures"][0]["message"]


@pytest.mark.parametrize(
    ("platform", "number", "code"),
    [
        ("windows", CTRL_C, 130),
        ("windows", CTRL_BREAK, 143),
        pytest.param("macos", CTRL_C, 130, marks=slow),
    ],
)
def test_signal_ends_the_run(running, platform, number, code, photos, tmp_path):
    marks, output = waiting_images(photos, 2), tmp_path / "out"
    run = running(platform, "process", photos, "-o", output, "--engine", "pool", "-j", 1, "--chunksize", 1)
    assert run.until(lambda: any(any(mark.iterdir()) for mark in marks.iterdir()))
    run.send(number, group=True)
    let_go(marks)
    assert run.wait().code == code
    assert list(records(output))
    assert seconds_until(lambda: not run.processes()) is not None


@mostly_windows
def test_killed_run_leaves_no_process_and_continues(running, platform, photos, tmp_path):
    marks, output = waiting_images(photos, 3), tmp_path / "out"
    run = running(platform, "process", photos, "-o", output, "-j", 2, "--chunksize", 1)
    assert run.until(lambda: sum(1 for mark in marks.iterdir() if any(mark.iterdir())) == 2)
    run.send(signal.SIGKILL)
    assert seconds_until(lambda: not run.processes()) is not None
    let_go(marks)
    outcome = running(platform, "process", photos, "-o", output, "--serial", "--json").wait()
    assert outcome.code == 0
    assert outcome.json["done"] + outcome.json["skipped"] == 7


@pytest.mark.parametrize("engine", [["--serial"], pytest.param(["-j", "1", "--engine", "pool"], marks=slow)])
@pytest.mark.parametrize(
    "output", [pytest.param("out", marks=slow), os.path.join(*["o" * 60] * 5)], ids=["short", "long"]
)
def test_long_paths_are_used_like_others(commands, tmp_path, output, engine):
    """Windows finds a file by a path of more than 259 characters only if the path is extended."""
    output = tmp_path / output
    for name in ("a.png", os.path.join(*["x" * 60] * 5, "a.png")):
        write_png(tmp_path / "in" / name)
    for recipe, words in (("invert", engine), ("gaussian", engine), ("gaussian", [*engine, "--fresh"])):
        code, stdout, stderr = commands(
            "windows", "process", tmp_path / "in", "-o", output, "-f", recipe, "--json", *words
        )
        assert (code, json.loads(stdout)["done"]) == (0, 2), stderr
    code, stdout, _ = commands("windows", "process", tmp_path / "in", "-o", output, "-f", "gaussian", "--json", *engine)
    assert (code, json.loads(stdout)["skipped"]) == (0, 2)
    assert [commands("windows", name, output)[0] for name in ("status", "verify")] == [0, 0]
    assert sorted(os.listdir(output / ".imgpool")) == ["journal.jsonl", "lock", "run.json"]


def test_result_that_is_open_elsewhere_is_named(commands, photos, tmp_path):
    """Windows replaces no file that a program has open."""
    output = tmp_path / "out"
    assert commands("windows", "process", photos, "-o", output, "--serial", "-f", "invert")[0] == 0
    with open(output / "galaxy.png", "rb"):
        code, stdout, _ = commands("windows", "process", photos, "-o", output, "--serial", "-f", "gaussian", "--json")
    [failure] = json.loads(stdout)["failures"]
    assert (code, Path(failure["source"]).name) == (1, "galaxy.png")
    assert "is open in another program" in failure["message"]
    code, stdout, _ = commands("windows", "process", photos, "-o", output, "--serial", "-f", "gaussian", "--json")
    assert (code, json.loads(stdout)["done"]) == (0, 1)


@scaled(("platform", "kills"), short=[], long=[("windows", 40), ("macos", 40)])
def test_killed_runs_lose_nothing(running, platform, kills, tmp_path):
    """SIGKILL of the process that the user has started, again and again, at random moments."""
    chance, killed = random.Random(kills), 0
    for number in range(60):
        write_png(tmp_path / "in" / f"{number:03}.png", side=64)
    for attempt in itertools.count():
        output = tmp_path / f"out-{attempt}"
        for _ in range(4):
            run = running(platform, "process", tmp_path / "in", "-o", output, "-j", 2, "--chunksize", 1)
            wanted = chance.randint(0, 59)
            run.until(lambda wanted=wanted, output=output: len(list(output.glob("*.png"))) >= wanted)
            run.send(signal.SIGKILL)
            killed += run.wait().code == 137
            assert seconds_until(lambda run=run: not run.processes()) is not None
        assert running(platform, "process", tmp_path / "in", "-o", output, "-j", 2).wait().code == 0
        assert {record["target"] for record in records(output)} == {f"{number:03}.png" for number in range(60)}
        if killed >= kills:
            break
