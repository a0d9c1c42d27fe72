"""What ``imgpool compare`` prints and draws."""

import io
import json
import sys
from dataclasses import replace

import pytest

from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.compare.comparison import SERIAL
from imgpool.compare.measurer import EngineSetup
from imgpool.core.errors import RunError, UsageError
from imgpool.report.compare import comparison_lines
from imgpool.report.compare_json import comparison_json
from imgpool.report.plot import check_plot, draw
from imgpool.report.stdout import print_lines
from tests.support.comparisons import comparison_of, failing
from tests.support.small_runs import BLUR, write_png


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run(tmp_path):
    for name in ("a", "b", "c"):
        write_png(tmp_path / "in" / f"{name}.png")
    (tmp_path / "out").mkdir()
    return make_plan(RunSettings((str(tmp_path / "in"),), BLUR, str(tmp_path / "out"), workers=4))


@pytest.fixture
def compared(run, tmp_path):
    return comparison_of(run, str(tmp_path / "out"))


def told(comparison):
    return [line.plain for line in comparison_lines(comparison)]


def columns_of(lines, *words):
    return next(line.split() for line in lines if line.split()[: len(words)] == list(words))


def test_first_of_all_is_whether_all_came_out_the_same(compared):
    lines = told(compared)
    assert lines[0].startswith("gaussian · 3 of 3 images · ")
    assert lines[0].endswith(" · 4 cores · one round")
    assert lines[1] == "✓ 3 images, the same bytes in all 11 runs"


def test_speed_up_and_efficiency(compared):
    lines = told(compared)
    assert columns_of(lines, "serial")[1:5] == ["12.00", "0.2", "1.00", "100%"]
    assert columns_of(lines, "4", "workers")[2:6] == ["3.50", "0.9", "3.43", "86%"]


def test_the_time_of_all_workers_is_shared_out(compared):
    lines = told(compared)
    assert columns_of(lines[2:], "gaussian")[1:4] == ["6.00", "7.00", "50%"]
    assert columns_of(lines, "in", "all")[2:] == ["12.00", "14.00", "=", "4", "×", "3.50"]
    assert any("idle: workers have nothing to do" in line for line in lines)


def test_a_stage_that_takes_no_time_is_left_out(compared):
    for runs in compared._measured.values():
        runs[:] = [replace(each, stages=tuple(replace(s, seconds=s.seconds * (s.stage != "idle")) for s in each.stages))
                   for each in runs]  # fmt: skip
    assert not any("idle" in line for line in told(compared))


def test_chunk_sizes_and_what_was_chosen(compared):
    lines = told(compared)
    assert columns_of(lines, "16")[:2] == ["16", "3.40"]
    assert columns_of(lines, "auto", "(up")[4] == "3.50"


def test_methods_side_by_side(compared):
    lines = told(compared)
    assert columns_of(lines, "map")[1:] == ["auto", "3.60", "3.60", "12"]
    assert columns_of(lines, "imap_unordered", "16")[2:] == ["–", "no", "end", "–"]
    assert columns_of(lines, "imgpool")[1:] == ["auto", "0.25", "3.50", "3"]
    assert any(line.strip().startswith("map  ") and "No answer before the last" in line for line in lines)


def test_where_methods_were_left_out_it_is_said(compared):
    compared._timed = {}
    assert any("would need more memory than there is" in line for line in told(compared))


def test_in_short(compared):
    lines = told(compared)
    assert columns_of(lines, "bound", "by")[2:4] == ["the", "processor:"]
    assert columns_of(lines, "memory")[1:] == [
        "a",
        "worker",
        "holds",
        "up",
        "to",
        "90.0",
        "MB,",
        "all",
        "4",
        "together",
        "150.0",
        "MB",
    ]
    assert columns_of(lines, "choose")[1:5] == ["-j", "4", "--chunksize", "auto:"]


def test_figures_that_others_have_disturbed_are_called_rough(compared):
    assert not any(line.strip().startswith("caution") for line in told(compared))
    assert comparison_json(compared)["disturbed"] is False
    for runs in compared._measured.values():
        runs[:] = [replace(each, cpu_share=0.5) for each in runs]
    assert columns_of(told(compared), "caution")[1:3] == ["other", "programs"]
    compared.cores = 0  # more workers than cores wait for each other
    assert not compared.disturbed


def test_differences_are_named(run, tmp_path):
    def change(setup, results):
        if setup != EngineSetup("pool", 4, 4):
            return results
        first, second, *_ = results
        return results | {first: replace(results[first], sha256="ff"), second: failing(results[second])}

    comparison = comparison_of(run, str(tmp_path / "out"), change)
    lines = told(comparison)
    assert lines[1:4] == [
        "✗ a.png · 4 workers, chunks of 4 · other bytes",
        "✗ b.png · 4 workers, chunks of 4 · failed: read · ReadError; serially it was done",
        "✗ 2 images of 3 not the same in all 11 runs",
    ]
    told_json = comparison_json(comparison)
    assert told_json["same"] is False
    assert [each["how"] for each in told_json["differences"]][:1] == ["other bytes"]


def test_many_differences_are_counted(run, tmp_path, monkeypatch):
    monkeypatch.setattr("imgpool.report.compare.NAMED", 1)

    def change(setup, results):
        return {s: replace(r, sha256="ff") for s, r in results.items()} if setup.workers == 2 else results

    lines = told(comparison_of(run, str(tmp_path / "out"), change))
    assert lines[2] == "✗ and 2 more like these: --json names them all"


def test_what_fails_everywhere_is_named_and_no_difference(run, tmp_path):
    def change(_setup, results):
        return {source: failing(each) if source.endswith("a.png") else each for source, each in results.items()}

    comparison = comparison_of(run, str(tmp_path / "out"), change)
    comparison._timed = {}
    comparison.deadly = [failing(comparison._measured[SERIAL][0].results[run.tasks[-1].source], "worker", "SIGSEGV")]
    lines = told(comparison)
    assert lines[1] == "✓ 3 images, the same bytes in all 8 runs"
    assert lines[2:4] == [
        "  1 image among them failed, serially too:",
        "✗ a.png · read · it is cut off · copy it again",
    ]
    assert "1 image left out: a pool outlives it, a serial run would not:" in lines[4]
    assert comparison_json(comparison)["failures"][0]["stage"] == "read"
    assert comparison_json(comparison)["left_out"][0]["error"] == "SIGSEGV"


@pytest.mark.parametrize("width", [60, 80, 300])
def test_lines_fit_where_they_are_read(compared, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = told(compared)[2:]
    assert max(map(len, lines)) <= min(width, 100)
    assert not any("…" in line for line in lines)
    assert any("━━━" in line for line in lines)


def test_bars_are_plain_where_letters_are(compared, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    print_lines(comparison_lines(compared))
    assert b"####" in written.getvalue()
    assert b"\\u2501" not in written.getvalue()


def test_a_terminal_gets_colours(compared, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_lines(comparison_lines(compared))
    assert "\x1b[32m✓ 3 images" in capsys.readouterr().out


def test_all_figures_as_json(compared):
    told_json = json.loads(json.dumps(comparison_json(compared)))
    assert (told_json["same"], told_json["found"], told_json["sample"], told_json["runs"]) == (True, 3, 3, 11)
    assert [(each["engine"], each["workers"]) for each in told_json["workers"]] == [
        *(("serial", 1), ("pool", 1), ("pool", 2), ("pool", 4)),
    ]
    fastest = told_json["workers"][-1]
    assert (fastest["speed_up"], fastest["efficiency"]) == (3.429, 0.857)
    assert sum(each["seconds"] for each in fastest["stages"]) == pytest.approx(4 * 3.5, rel=1e-3)
    assert [each["chunksize"] for each in told_json["chunksizes"]] == [1, 4, 16, "auto"]
    assert told_json["methods"][-1] == {
        "method": "imap_unordered",
        "chunksize": 16,
        "seconds": None,
        "first_result_seconds": None,
        "most_waiting": None,
    }
    assert told_json["recommended"]["workers"] == 4


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_curves_are_drawn(compared, tmp_path, name, begins):
    pytest.importorskip("matplotlib")
    check_plot(str(tmp_path / name), [str(tmp_path / "in")])
    draw(compared, str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a.tar", "writes no such file"),
        ("no extension", "writes no such file"),
        ("absent/a.png", "no such folder"),
        ("in/a.png", "lies inside the input"),
    ],
)
def test_where_nothing_can_be_drawn_it_is_said_at_once(run, tmp_path, name, word):  # noqa: ARG001 - its images
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match=word):
        check_plot(str(tmp_path / name), [str(tmp_path / "in")])


def test_without_matplotlib_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(UsageError) as caught:
        check_plot(str(tmp_path / "a.png"), [])
    assert "imgpool[plot]" in caught.value.hint


def test_a_picture_that_cannot_be_written_is_an_error(compared, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(RunError, match="curves"):
        draw(compared, str(tmp_path / "absent" / "curves.png"))
