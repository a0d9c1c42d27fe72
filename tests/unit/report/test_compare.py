"""The report of ``imgpool compare``: text, JSON and plots."""

import io
import json
import sys
from dataclasses import replace

import pytest

from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.compare.measurement import EngineSetup
from imgpool.report.compare import comparison_lines
from imgpool.report.compare_json import comparison_json
from imgpool.report.stdout import print_lines
from tests.support.comparisons import comparison_of, failed
from tests.support.small_runs import BLUR, write_png


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def plan(tmp_path):
    for name in ("a", "b", "c"):
        write_png(tmp_path / "in" / f"{name}.png")
    (tmp_path / "out").mkdir()
    return make_plan(RunSettings((str(tmp_path / "in"),), BLUR, str(tmp_path / "out"), workers=4))


@pytest.fixture
def compared(plan):
    return comparison_of(plan)


def text_lines(comparison):
    return [line.plain for line in comparison_lines(comparison)]


def columns_of(lines, *words):
    return next(line.split() for line in lines if line.split()[: len(words)] == list(words))


def test_verdict_comes_first(compared):
    lines = text_lines(compared)
    assert lines[0].startswith("gaussian · 3 of 3 images · ")
    assert lines[0].endswith(" · 4 cores · one round")
    assert lines[1] == "✓ 3 images: identical results in all 11 runs"


def test_speed_up_and_efficiency_are_relative_to_the_serial_run(compared):
    lines = text_lines(compared)
    assert columns_of(lines, "serial")[1:5] == ["12.00", "0.2", "1.00", "100%"]
    assert columns_of(lines, "4", "workers")[2:6] == ["3.50", "0.9", "3.43", "86%"]


def test_stages_add_up_to_the_time_of_all_workers(compared):
    lines = text_lines(compared)
    assert columns_of(lines[2:], "gaussian")[1:4] == ["6.00", "7.00", "50%"]
    assert columns_of(lines, "total")[1:] == ["12.00", "14.00", "=", "4", "×", "3.50"]
    assert any("idle: waiting for work" in line for line in lines)


def test_stage_that_takes_no_time_is_not_shown(compared):
    for runs in compared.measurements.values():
        runs[:] = [replace(each, stages=tuple(replace(s, seconds=s.seconds * (s.stage != "idle")) for s in each.stages))
                   for each in runs]  # fmt: skip
    assert not any("idle" in line for line in text_lines(compared))


def test_automatic_chunk_size_is_shown(compared):
    lines = text_lines(compared)
    assert columns_of(lines, "16")[:2] == ["16", "3.40"]
    assert columns_of(lines, "auto", "(up")[4] == "3.50"


def test_methods_are_compared(compared):
    lines = text_lines(compared)
    assert columns_of(lines, "map")[1:] == ["auto", "3.60", "3.60", "12"]
    assert columns_of(lines, "imap_unordered", "16")[2:] == ["–", "failed", "–"]
    assert columns_of(lines, "imgpool")[1:] == ["auto", "0.25", "3.50", "3"]
    assert any(line.strip().startswith("map  ") and "Returns nothing until the last" in line for line in lines)


def test_missing_methods_are_explained(compared):
    compared.timings = {}
    assert any("would need more than there is" in line for line in text_lines(compared))


def test_summary_recommends_a_setup(compared):
    lines = text_lines(compared)
    assert columns_of(lines, "bottleneck")[1:3] == ["the", "processor:"]
    assert "  memory       at most 90.0 MB per worker, 150.0 MB for 4 workers together" in lines
    assert columns_of(lines, "recommended")[1:5] == ["-j", "4", "--chunksize", "auto:"]


def test_disturbed_measurements_are_marked(compared):
    assert not any(line.strip().startswith("caution") for line in text_lines(compared))
    assert comparison_json(compared)["disturbed"] is False
    for runs in compared.measurements.values():
        runs[:] = [replace(each, cpu_share=0.5) for each in runs]
    assert columns_of(text_lines(compared), "caution")[1:3] == ["other", "programs"]
    compared.cores = 0  # with more workers than cores, waiting is expected
    assert not compared.disturbed


def test_differences_are_listed(plan):
    def change(setup, results):
        if setup != EngineSetup("pool", 4, 4):
            return results
        first, second, *_ = results
        return results | {first: replace(results[first], sha256="ff"), second: failed(second)}

    comparison = comparison_of(plan, change)
    lines = text_lines(comparison)
    assert lines[1:4] == [
        "✗ a.png · 4 workers, chunks of 4 · different bytes",
        "✗ b.png · 4 workers, chunks of 4 · failed: read · ReadError; the serial run succeeded",
        "✗ 2 of 3 images: different results in 11 runs",
    ]
    data = comparison_json(comparison)
    assert data["same"] is False
    assert [each["how"] for each in data["differences"]][:1] == ["different bytes"]


def test_many_differences_are_counted(plan, monkeypatch):
    monkeypatch.setattr("imgpool.report.compare.MAX_LISTED_DIFFERENCES", 1)

    def change(setup, results):
        return {s: replace(r, sha256="ff") for s, r in results.items()} if setup.workers == 2 else results

    lines = text_lines(comparison_of(plan, change))
    assert lines[2] == "✗ and 2 more: --json lists all of them"


def test_image_that_fails_everywhere_is_no_difference(plan):
    def change(_setup, results):
        return {source: failed(source) if source.endswith("a.png") else each for source, each in results.items()}

    comparison = comparison_of(plan, change)
    comparison.timings = {}
    comparison.excluded = [failed(plan.tasks[-1].source, "worker", "SIGSEGV")]
    lines = text_lines(comparison)
    assert lines[1] == "✓ 3 images: identical results in all 8 runs"
    assert lines[2:4] == [
        "  1 image failed, also in the serial run:",
        "✗ a.png · read · the file is cut off · copy it again",
    ]
    assert "1 image excluded, which would end or block a serial run; the pool survives this:" in lines[4]
    assert comparison_json(comparison)["failures"][0]["stage"] == "read"
    assert comparison_json(comparison)["left_out"][0]["error"] == "SIGSEGV"


@pytest.mark.parametrize("width", [60, 80, 300])
def test_lines_fit_the_terminal(compared, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = text_lines(compared)[2:]
    assert max(map(len, lines)) <= min(width, 100)
    assert not any("…" in line for line in lines)
    assert any("━━━" in line for line in lines)


def test_bars_are_ascii_if_the_output_is(compared, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    print_lines(comparison_lines(compared))
    assert b"####" in written.getvalue()
    assert b"\\u2501" not in written.getvalue()


def test_terminal_gets_colours(compared, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_lines(comparison_lines(compared))
    assert "\x1b[32m✓ 3 images" in capsys.readouterr().out


def test_json_contains_all_measurements(compared):
    data = json.loads(json.dumps(comparison_json(compared)))
    assert (data["same"], data["found"], data["sample"], data["runs"]) == (True, 3, 3, 11)
    assert [(each["engine"], each["workers"]) for each in data["workers"]] == [
        *(("serial", 1), ("pool", 1), ("pool", 2), ("pool", 4)),
    ]
    fastest = data["workers"][-1]
    assert (fastest["speed_up"], fastest["efficiency"]) == (3.429, 0.857)
    assert sum(each["seconds"] for each in fastest["stages"]) == pytest.approx(4 * 3.5, rel=1e-3)
    assert [each["chunksize"] for each in data["chunksizes"]] == [1, 4, 16, "auto"]
    assert data["methods"][-1] == {
        "method": "imap_unordered",
        "chunksize": 16,
        "seconds": None,
        "first_result_seconds": None,
        "most_waiting": None,
    }
    assert data["recommended"]["workers"] == 4
