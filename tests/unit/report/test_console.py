"""What a run shows on stderr."""

import threading

import pytest

from imgpool.core.engine import RunMetrics
from imgpool.core.task import Failure, Result, Task
from imgpool.report import progress
from imgpool.report.console import Reporter
from imgpool.report.tally import Tally


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Remove everything about colours and terminals from the environment."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def done(name="a.png", **changes):
    task = Task(f"/photos/{name}", f"/out/{name}", 10, 20)
    return Result(
        task, "done", seconds={"read": 0.012, "write": 0.1}, shape=(5, 4), dtype="uint8", axes="YX", **changes
    )


def skipped(name="a.png"):
    return Result(done(name).task, "skipped")


def failed(name="bad.png", message="cut off", hint="copy it again"):
    return Result(done(name).task, "failed", Failure("read", "ReadError", message, hint, "Traceback …\nReadError: …"))


def shown(capsys, *results, to_do=3, advice=(), **options):
    """Show results; return what was printed on stderr, and check that stdout is empty."""
    reporter = Reporter(Tally(found=to_do), to_do, "/photos", **options)
    with reporter:
        for result in results:
            reporter.show(result)
    reporter.summary(advice)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_failure_names_file_stage_reason_and_remedy(capsys):
    assert "✗ bad.png · read · cut off · copy it again\n" in shown(capsys, done(), failed())


def test_a_failure_without_a_hint_ends_with_its_reason(capsys):
    assert "✗ bad.png · read · cut off\n" in shown(capsys, failed(hint=""))


def test_a_failure_with_an_unusual_name_is_one_line(capsys):
    name = "x" * 300 + "[red]\n\x1b[31m\udcff:smile:.png"
    err = shown(capsys, failed(name, message="odd\nmessage [bold]"))
    (line,) = [line for line in err.splitlines() if "read" in line]
    assert line == "✗ " + "x" * 300 + r"[red]\n\x1b[31m\udcff:smile:.png · read · odd\nmessage [bold] · copy it again"


def test_the_summary_counts_and_gives_advice(capsys):
    err = shown(capsys, done(), failed(), skipped(), advice=["Run it again."])
    assert "✗ 1 done · 1 failed · 1 skipped · " in err
    assert "images/s" in err
    assert err.endswith("  Run it again.\n")
    assert "✓ 1 done · 0 failed · 0 skipped" in shown(capsys, done(), to_do=1)


def test_the_summary_counts_images_that_are_left(capsys):
    assert "✗ 1 done · 0 failed · 0 skipped · 2 left · " in shown(capsys, done(), to_do=3)


def test_verbose_lines_name_what_was_not_stored(capsys):
    assert "· not stored in this format: pixel size\n" in shown(capsys, done(lost=("pixel_size",)), verbosity=1)


def test_the_summary_of_skipped_images_has_no_rate(capsys):
    assert shown(capsys, skipped(), to_do=0) == "✓ 0 done · 0 failed · 1 skipped\n"


def test_the_summary_counts_what_was_not_stored(capsys):
    err = shown(capsys, done(lost=("pixel_size",)), done(lost=("pixel_size", "exif")))
    assert "not stored in this format: pixel size (2 images)\n" in err
    assert "not stored in this format: exif (1 image)\n" in err


def test_quiet_shows_failures_only(capsys):
    assert shown(capsys, done(), failed(), skipped(), verbosity=-1, advice=["x"]) == (
        "✗ bad.png · read · cut off · copy it again\n"
    )


def test_verbose_shows_a_line_for_each_image(capsys):
    err = shown(capsys, done(), skipped("b.png"), failed(), verbosity=1)
    assert "✓ a.png · uint8 YX 5×4 · read 12 ms · write 100 ms\n" in err
    assert "- b.png · already done\n" in err
    assert "ReadError: …" in err


def test_tracebacks_need_verbose(capsys):
    assert "Traceback" not in shown(capsys, failed())


def test_a_log_file_gets_progress_lines_without_escapes(capsys):
    err = shown(capsys, done(), failed(), skipped(), to_do=1200, line_interval=0.0)
    assert "1/1,200 · " in err
    assert "2/1,200 · " in err
    assert "3/1,200" not in err
    assert "1 failed" in err
    assert "\x1b" not in err


def test_the_first_progress_line_waits_for_the_interval(capsys):
    assert "/1,200" not in shown(capsys, done(), done(), to_do=1200)


def test_a_terminal_gets_a_bar_that_is_removed(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    before = set(threading.enumerate())
    err = shown(capsys, done(), failed())
    assert "2/3" in err
    assert "✗ bad.png" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1  # the cursor is hidden and shown again
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_an_error_removes_the_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")

    def interrupted_run():
        with Reporter(Tally(found=3), 3, "/photos"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert "\x1b[?25h" in capsys.readouterr().err


def test_no_color_is_respected(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(capsys, done(), failed())


def test_progress_text_has_rate_time_left_and_failures():
    tally = Tally(found=10, done=4)
    tally.started -= 2
    assert progress.progress_text(tally, 6).startswith("2.0 images/s · 3.0 s left")
    tally.add(failed())
    assert progress.progress_text(tally, 0).endswith("images/s · 1 failed")
    assert progress.progress_text(Tally(found=10), 10) == "0.0 images/s"


def test_the_choice_of_the_engine_is_shown_once_with_verbose(capsys):
    verbose, usual = (Reporter(Tally(found=1), 1, "/photos", verbosity) for verbosity in (1, 0))
    for metrics in (RunMetrics(reason="1 worker: as set"), RunMetrics(tasks=1, reason="1 worker: as set")):
        verbose.show_metrics(metrics)
        usual.show_metrics(metrics)
    assert capsys.readouterr().err == "  1 worker: as set\n"
