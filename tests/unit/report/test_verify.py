"""What ``imgpool verify`` prints."""

import json
import threading

import pytest

from imgpool.output.run_file import InterruptedRun
from imgpool.output.verify import Verification
from imgpool.report.verify import (
    CHECK_EXTRA,
    EXTRA_OF_UNFINISHED_RUN,
    MOVE_FIRST,
    RUN_AGAIN,
    STILL_OUTDATED,
    VerificationResult,
    verification_json,
    verification_lines,
)
from tests.support.hashes import content_hash
from tests.support.past_runs import ENDED, KILLED, done, failed, write_journal, write_run


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def write_output(output, name, content=b"abc"):
    """Write an output; return its result."""
    (output / name).write_bytes(content)
    return done(str(output), name, sha256=content_hash(content), written=len(content))


def result(output, **options):
    return VerificationResult(Verification(str(output)), **{"quiet": True} | options)


def indented(*lines):
    return [f"  {line}" for line in lines]


def lines_of(output, verbosity=0):
    found = result(output, keep_intact=verbosity > 0)
    found.seconds = 0.5
    return [line.plain for line in verification_lines(found, verbosity)]


def test_intact_outputs_are_one_line(output):
    write_journal(str(output), write_output(output, "a.png"), write_output(output, "b.png"))
    assert lines_of(output) == ["✓ 2 outputs checked · 2 intact · 0.5 s"]
    assert lines_of(output, -1) == []
    assert lines_of(output, 1)[:2] == ["✓ a.png · intact", "✓ b.png · intact"]
    assert result(output).exit_code == 0


def test_each_problem_is_listed_with_its_reason(output):
    results = [write_output(output, f"{name}.png") for name in ("good", "gone", "longer", "other", "old")]
    write_journal(str(output), *results, failed(str(output), "old.png"), failed(str(output), "never.png"))
    write_run(str(output), **ENDED)
    (output / "gone.png").unlink()
    (output / "longer.png").write_bytes(b"abcd")
    (output / "other.png").write_bytes(b"abd")
    (output / "new\n.png").touch()
    lines = lines_of(output)
    assert lines == [
        "✗ gone.png · missing · it no longer exists",
        "✗ longer.png · changed · 4 bytes instead of 3",
        "✗ other.png · changed · same size, different content",
        "✗ old.png · outdated · made by an earlier run; the last run failed",
        r"✗ new\n.png · extra · not in the journal",
        "✗ 5 outputs checked · 1 intact · 1 missing · 2 changed · 1 outdated · 1 extra · 0.5 s",
        "  1 image failed and left no output: see `imgpool status out`",
        *indented(RUN_AGAIN, MOVE_FIRST, STILL_OUTDATED, CHECK_EXTRA),
    ]
    assert lines_of(output, -1) == lines[:5]
    assert result(output).exit_code == 1


@pytest.mark.parametrize(
    ("spoil", "advice"),
    [
        (lambda path: path.unlink(), [RUN_AGAIN]),
        (lambda path: path.write_bytes(b"abcd"), [MOVE_FIRST]),
        (lambda path: path.write_bytes(b"abd"), [MOVE_FIRST]),
        (lambda path: path.with_name("b.png").touch(), [CHECK_EXTRA]),
    ],
)
def test_advice_matches_the_problems(output, spoil, advice):
    write_journal(str(output), write_output(output, "a.png"))
    write_run(str(output), **ENDED)
    spoil(output / "a.png")
    assert lines_of(output)[2:] == indented(*advice)


def test_a_failed_image_is_not_a_problem(output):
    write_journal(
        str(output), write_output(output, "a.png"), failed(str(output), "b.png"), failed(str(output), "c.png")
    )
    assert lines_of(output) == [
        "✓ 1 output checked · 1 intact · 0.5 s",
        "  2 images failed and left no output: see `imgpool status out`",
    ]


def test_a_killed_run_explains_extra_files(output):
    write_run(str(output), unsettled=(InterruptedRun("0123", "key", 0),), **KILLED)
    write_journal(str(output), write_output(output, "a.png"))
    (output / "b.png").touch()
    assert lines_of(output)[2:] == [
        "  the last run was killed: see `imgpool status out`",
        *indented(EXTRA_OF_UNFINISHED_RUN, CHECK_EXTRA),
    ]


def test_a_finished_run_is_not_mentioned(output):
    write_run(str(output), **ENDED)
    write_journal(str(output), write_output(output, "a.png"))
    assert len(lines_of(output)) == 1


def test_a_nested_output_folder_is_mentioned(output):
    write_journal(str(output), write_output(output, "a.png"))
    (output / "again" / ".imgpool").mkdir(parents=True)
    assert lines_of(output)[1:] == ["  again was not checked: it is an output folder of its own"]


def test_json_lists_the_problems_by_state(output):
    write_journal(str(output), write_output(output, "a.png"), write_output(output, "b.png"))
    (output / "b.png").unlink()
    (output / "new\n.png").touch()
    found = json.loads(json.dumps(verification_json(result(output))))
    assert found.pop("seconds") >= 0
    assert found == {
        "checked": 2,
        "intact": 1,
        "missing": [{"path": "b.png", "reason": "it no longer exists"}],
        "changed": [],
        "outdated": [],
        "extra": [{"path": "new\n.png", "reason": "not in the journal"}],
        "unreadable": [],
        "damaged_line": None,
        "output": str(output),
    }


def test_json_lists_no_intact_files(output):
    write_journal(str(output), write_output(output, "a.png"))
    found = verification_json(result(output, keep_intact=True))
    assert [name for name, value in found.items() if isinstance(value, list) and value] == []


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_is_shown_on_stderr(output, capsys, quiet):
    write_journal(str(output), write_output(output, "a.png"), write_output(output, "b.png"))
    (output / "b.png").unlink()
    (output / "extra.png").touch()
    result(output, quiet=quiet, line_interval=0.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    if quiet:
        assert lines == []
    else:
        assert lines[0].startswith("  1/2 · ")
        assert lines[0].endswith(" left")
        assert lines[1:] == ["  2/2 · 1 not intact"]


def test_a_terminal_gets_a_bar_that_is_removed(output, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    write_journal(str(output), write_output(output, "a.png"))
    before = set(threading.enumerate())
    result(output, quiet=False)
    err = capsys.readouterr().err
    assert "1/1" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
        assert not thread.is_alive()
