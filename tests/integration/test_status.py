"""``imgpool status``, during and after a run."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from imgpool import write
from imgpool.core.image import Image

TIMEOUT_S = 60


@pytest.fixture
def photos(tmp_path):
    """Three valid images, one of them with a line break in its name, and a damaged one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "new\nline.png"):
        write(Image.from_array(np.zeros((40, 50), np.uint8)), folder / name)
    (folder / os.fsdecode(b"cut-\xff.png")).write_bytes(b"no picture")
    return folder


@pytest.fixture
def start(tmp_path):
    """Start ``imgpool`` in a session of its own, and kill it at the end of the test."""
    started = []

    def call(*arguments, stderr=subprocess.DEVNULL):
        process = subprocess.Popen(
            [sys.executable, "-m", "imgpool", *map(os.fspath, arguments)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=tmp_path,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture
def run(start, photos, tmp_path):
    """A run over a thousand images, which takes longer than any test."""
    write(Image.from_array(np.random.default_rng(1).integers(0, 256, (500, 500), np.uint8)), photos / "0.png")
    for number in range(1, 1000):
        os.link(photos / "0.png", photos / f"{number}.png")
    slow = ["-f", "skimage.restoration.denoise_tv_chambolle"]
    process = start("process", photos, "-o", tmp_path / "out", "--serial", "-q", *slow)
    until((tmp_path / "out" / ".imgpool" / "run.json").exists)
    return process


@pytest.fixture
def watch(start, run, tmp_path):
    """A watching command in a terminal that shows the bar, and a function that returns what the terminal has shown."""
    terminal, end = os.openpty()
    process = start("status", tmp_path / "out", "--watch", stderr=end)
    os.close(end)
    seen = bytearray()

    def see():
        with contextlib.suppress(OSError):  # the command has ended
            while select.select([terminal], [], [], 0)[0]:
                seen.extend(os.read(terminal, 10_000))
        return bytes(seen)

    until(lambda: b"/1004" in see())
    assert run.poll() is None
    yield process, see
    os.close(terminal)


def until(condition):
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.05)


def numbers(outcome):
    return {name: outcome[name] for name in ("found", "done", "failed", "skipped")}


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_status_agrees_with_the_run(imgpool, photos, tmp_path, engine):
    command = ["process", photos, "-o", tmp_path / "out", "-f", "invert", "--engine", engine, "--json"]
    for _ in range(2):  # the second run skips what is done
        run = imgpool(*command)
        status = imgpool("status", tmp_path / "out", "--json")
        assert (run.code, status.code, status.stderr) == (1, 0, "")
        assert numbers(status.json) == numbers(run.json)
        assert status.json["failures"] == run.json["failures"]
        assert (status.json["state"], status.json["left"]) == ("finished", 0)
        (line,) = [line for line in run.stderr.splitlines() if line.startswith("✗ cut")]
        assert line in imgpool("status", tmp_path / "out").stdout.splitlines()


def test_names_are_printed_safely(imgpool, photos, tmp_path):
    (photos / "new\nline.png").write_bytes(b"")
    imgpool("process", photos, "-o", tmp_path / "out", "-f", "invert", "--serial")
    status = imgpool("status", tmp_path / "out")
    assert status.code == 0
    assert r"✗ new\nline.png · read" in status.stdout
    assert r"✗ cut-\udcff.png · read" in status.stdout
    assert "\\u2717" in imgpool("status", tmp_path / "out", env={"PYTHONIOENCODING": "ascii"}).stdout


def test_without_a_run_file_totals_are_shown(imgpool, photos, tmp_path):
    imgpool("process", photos, "-o", tmp_path / "out", "-f", "invert", "--serial")
    shutil.copytree(tmp_path / "out", tmp_path / "copy")
    (tmp_path / "copy" / ".imgpool" / "run.json").unlink()
    status = imgpool("status", tmp_path / "copy", "--json").json
    assert (status["state"], status["found"], status["done"], status["failed"]) == ("unknown", None, 3, 1)


def test_a_foreign_or_missing_folder_is_refused(imgpool, photos, tmp_path):
    status = imgpool("status", photos)
    assert (status.code, status.stdout) == (2, "")
    assert "photos was not written by imgpool" in status.stderr
    assert imgpool("status", tmp_path / "absent").code == 2
    imgpool("process", photos, "-f", "invert", "--serial")
    assert f"did you mean {photos}-processed?" in imgpool("status", photos).stderr


def test_a_killed_run_is_reported_and_can_continue(imgpool, run, tmp_path):
    out = tmp_path / "out"
    status = imgpool("status", out)
    assert status.code == 0
    assert f"running: pid {run.pid} on " in status.stdout
    until(lambda: imgpool("status", out, "--json").json["done"] > 0)
    run.kill()
    run.wait()
    status = imgpool("status", out, "--json").json
    assert status["state"] == "killed"
    assert status["done"] + status["failed"] + status["left"] == status["found"] == 1004
    text = imgpool("status", out).stdout
    assert f"killed: pid {run.pid} on " in text
    assert "Run the same command again to continue" in text


def test_a_run_is_watched_to_its_end(imgpool, run, watch, tmp_path):
    watching, _ = watch
    assert watching.poll() is None
    run.send_signal(signal.SIGINT)
    stdout, _ = watching.communicate(timeout=TIMEOUT_S)
    assert watching.returncode == 0
    assert "  interrupted: pid " in stdout.decode()
    assert run.wait(TIMEOUT_S) == 130
    assert imgpool("status", tmp_path / "out", "--watch").code == 0  # the run has ended


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ending_a_watch_does_not_disturb_the_run(run, watch, number, code):
    watching, see = watch
    watching.send_signal(number)
    stdout, _ = watching.communicate(timeout=TIMEOUT_S)
    assert (watching.returncode, stdout) == (code, b"")
    seen = see()
    assert not any(word in seen for word in (b"interrupted", b"terminated", b"Traceback"))
    assert seen.count(b"\x1b[?25l") == seen.count(b"\x1b[?25h") == 1  # the cursor came back
    assert run.poll() is None
