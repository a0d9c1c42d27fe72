"""What ``imgpool status`` prints."""

import json
import threading
from dataclasses import replace

import pytest

from imgpool.output.status import Status
from imgpool.report import status
from imgpool.report.status import status_json, status_lines, watch_run
from tests.support.past_runs import ENDED, KILLED, done, failed, write_journal, write_run

WHO = "pid 4711 on labpc, since 2026-11-22 21:03:11 UTC"
WHOSE = {"pid": 4711, "host": "labpc"}


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return str(tmp_path / "out")


def lines_of(output, verbosity=0):
    return [line.plain for line in status_lines(Status(output, tracebacks=verbosity > 0), verbosity)]


def test_a_finished_run_is_summarized(output):
    write_run(output, found=3, skipped=1, to_do=2, **WHOSE, **ENDED)
    write_journal(output, done(output), done(output, "b.png", lost=("pixel_size",)))
    assert lines_of(output) == [
        "keep · 3 images · serial → out",
        f"  finished: {WHO}, until 2026-11-22 21:03:21 UTC",
        "✓ 2 done · 0 failed · 1 skipped · 10.0 s · 0.2 images/s",
        "  not stored in this format: pixel size (1 image)",
    ]


def test_failures_are_counted_and_listed(output):
    write_run(output, found=3, to_do=3, engine="pool", workers=4, **ENDED)
    names = ["b\n.png", "c.png"]
    write_journal(output, failed(output, error="OSError"), *(failed(output, name) for name in names))
    assert lines_of(output)[0] == "keep · 3 images · 4 workers → out"
    assert lines_of(output)[2:] == [
        "✗ 0 done · 3 failed · 0 skipped · 10.0 s · 0.3 images/s",
        "  3 failed while reading",
        "✗ /photos/a.png · read · cut off · copy it again",
        r"✗ /photos/b\n.png · read · cut off · copy it again",
        "✗ /photos/c.png · read · cut off · copy it again",
        "  Run the same command again to retry the images that failed. Images that are done are skipped.",
    ]


def test_failed_images_are_named_relative_to_the_input(output, tmp_path):
    (tmp_path / "photos").mkdir()
    write_run(output, inputs=(str(tmp_path / "photos"),), **ENDED)
    result = failed(output)
    source = str(tmp_path / "photos" / "trip" / "a.png")
    write_journal(output, replace(result, task=replace(result.task, source=source)))
    assert "✗ trip/a.png · read · cut off · copy it again" in lines_of(output)


def test_a_live_run_is_running(output):
    info = write_run(output, found=4, to_do=4, since="2100-01-01T00:00:00Z")  # the clock was set back
    write_journal(output, done(output))
    assert lines_of(output)[1:] == [
        f"  running: {status.describe_run(info)}",
        "  1 done · 0 failed · 0 skipped · 3 left",
        "  The run is still going on: `imgpool status out --watch` shows its progress.",
    ]


def test_the_rate_determines_the_time_left(output):
    write_run(output, since="2020-01-01T00:00:00Z")
    write_journal(output, done(output))
    seconds = Status(output).seconds
    (line,) = [line for line in lines_of(output) if "running" in line]
    assert line.endswith(f" · {status.duration(9 * seconds)} left")
    assert status_json(Status(output))["seconds_left"] == pytest.approx(9 * seconds, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (KILLED, "  killed: {}; the process died unexpectedly"),
        ({**ENDED, "how": "interrupted"}, "  interrupted: {}, until 2026-11-22 21:03:21 UTC"),
        (
            {**ENDED, "how": "stopped: the disk\x1b is full"},
            "  stopped: the disk\\x1b is full: {}, until 2026-11-22 21:03:21 UTC",
        ),
    ],
)
def test_an_unfinished_run_says_why_and_how_to_continue(output, changes, line):
    info = write_run(output, **changes)
    write_journal(output)
    lines = lines_of(output)
    assert lines[1] == line.format(status.describe_run(info))
    assert lines[2] == "✗ 0 done · 0 failed · 0 skipped · 10 left"
    assert lines[3:] == ["  Run the same command again to continue. Images that are done are skipped."]


def test_unlisted_folders_are_counted(output):
    write_run(output, found=12, **ENDED)
    write_journal(output)
    lines = lines_of(output)
    assert lines[0].startswith("keep · 10 images · ")
    assert "  2 input folders could not be listed" in lines


def test_without_a_run_file_totals_are_shown(output):
    write_journal(output, done(output))
    assert lines_of(output) == [
        "out · no run file: these are the totals of its journal",
        "✓ 1 done · 0 failed · 0 skipped",
    ]


def test_quiet_lists_failures_and_verbose_adds_tracebacks(output):
    write_run(output, **ENDED)
    write_journal(output, done(output), failed(output, "b.png"))
    line = "✗ /photos/b.png · read · cut off · copy it again"
    assert lines_of(output, -1) == [line]
    assert "Traceback …" not in lines_of(output)
    assert lines_of(output, 1)[-3:-1] == [line, "Traceback …"]


def test_models_and_files_of_the_recipe_are_shown(output):
    model = {"model": "unet", "version": "1.0", "sha256": "ab" * 32, "license": "", "runtime": "onnxruntime 1.32.0"}
    provenance = ({"flat_field": {"flat": "cd" * 32}}, {"model": {"path": model}})
    write_run(output, provenance=provenance, **WHOSE, **ENDED)
    assert lines_of(output)[2:4] == [
        "  flat_field: flat cdcdcdcdcdcd",
        "  model: unet · version 1.0 · sha256 abababababab · onnxruntime 1.32.0",
    ]
    assert json.loads(json.dumps(status_json(Status(output))))["run"]["provenance"] == list(provenance)


def test_json_contains_run_counts_and_failures(output):
    write_run(output, found=4, to_do=3, skipped=1, **WHOSE, **ENDED)
    write_journal(output, done(output), failed(output, "b.png"))
    found = json.loads(json.dumps(status_json(Status(output))))
    run = found.pop("run")
    assert {name: run[name] for name in ("pid", "host", "since", "ended", "how", "inputs", "recipe")} == {
        "pid": 4711,
        "host": "labpc",
        "since": "2026-11-22T21:03:11Z",
        "ended": "2026-11-22T21:03:21Z",
        "how": "finished",
        "inputs": ["/photos"],
        "recipe": "keep",
    }
    assert found == {
        "state": "finished",
        "found": 4,
        "done": 1,
        "skipped": 1,
        "failed": 1,
        "left": 1,
        "seconds": 10.0,
        "images_per_second": 0.2,
        "seconds_left": None,
        "output": output,
        "damaged_line": None,
        "causes": [{"stage": "read", "error": "ReadError", "count": 1}],
        "failures": [
            {"source": "/photos/b.png", "stage": "read", "error": "ReadError", "message": "cut off: copy it again"}
        ],
    }


def test_json_without_a_run_file_has_nulls(output):
    write_journal(output, done(output))
    found = status_json(Status(output))
    assert (found["state"], found["done"], found["failed"]) == ("unknown", 1, 0)
    assert {name for name, value in found.items() if value is None} == {
        *("found", "skipped", "left", "seconds", "images_per_second", "seconds_left", "run", "damaged_line"),
    }


class RunOfThreeImages:
    """A run that is in the output folder; it makes one image each time that `sleep` is called, and then ends."""

    def __init__(self, output):
        self.output = output
        self.token = write_run(output, found=3, to_do=3).token
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        write_journal(self.output, done(self.output, f"{len(self.slept)}.png"))
        if len(self.slept) == 3:
            write_run(self.output, token=self.token, found=3, to_do=3, journal=0, **ENDED)


@pytest.mark.parametrize("quiet", [True, False])
def test_a_run_is_watched_to_its_end(output, capsys, quiet):
    watched = RunOfThreeImages(output)
    found = Status(output)
    watch_run(found, quiet=quiet, line_interval=0.0, sleep=watched.sleep)
    assert watched.slept == [1.0, 1.0, 1.0]
    assert (found.state, found.done, found.left) == ("finished", 3, 0)
    captured = capsys.readouterr()
    assert captured.out == ""
    places = [line.partition(" · ")[0] for line in captured.err.splitlines()]
    assert places == ([] if quiet else ["  0/3", "  1/3", "  2/3"])


def test_a_terminal_gets_a_bar_that_is_removed(output, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    before = set(threading.enumerate())
    watched = RunOfThreeImages(output)
    watch_run(Status(output), sleep=watched.sleep)
    err = capsys.readouterr().err
    assert "/3" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_watching_stops_when_another_run_starts(output):
    write_run(output)
    found = Status(output)
    watch_run(found, sleep=lambda _seconds: write_run(output, found=5))
    assert (found.state, found.run.found) == ("running", 5)


@pytest.mark.parametrize("changes", [None, ENDED, KILLED])
def test_watching_returns_at_once_without_a_live_run(output, changes):
    write_journal(output, done(output))
    if changes:
        write_run(output, **changes)
    watch_run(Status(output), sleep=pytest.fail)
