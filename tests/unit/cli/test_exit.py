"""Errors become a message, a hint and an exit code."""

import json
import os
import signal
import sys

import pytest
import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._interrupts import Interrupted
from imgpool.core.errors import (
    ImageError,
    ImgpoolError,
    ReadError,
    RecipeError,
    RunError,
    UsageError,
    WorkerError,
)
from imgpool.core.hint import Hint


def exit_code_of(error, **options):
    """Return the exit code of a command that raises this error."""
    with pytest.raises(typer.Exit) as caught, exit_codes(**options):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (RecipeError("x"), 2),
        (RunError("x"), 3),
        (WorkerError("x"), 3),
        (ReadError("x"), 3),
        (ImageError("x"), 3),
        (ImgpoolError("x"), 3),
        (ValueError("x"), 3),
        (OSError(28, "No space left on device"), 3),
        (BrokenPipeError(), 3),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 143),
    ],
)
def test_exit_codes_are_as_documented(error, code):
    assert exit_code_of(error) == code


def test_command_without_an_error_prints_nothing(capsys):
    with exit_codes():
        pass
    assert capsys.readouterr() == ("", "")


def test_error_is_one_line_with_its_hint_on_stderr(capsys):
    exit_code_of(RecipeError("no filter is called 'gausian'", "did you mean gaussian?"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "imgpool: no filter is called 'gausian'\n  → did you mean gaussian?\n"
    exit_code_of(RunError("the disk is full"))
    assert capsys.readouterr().err == "imgpool: the disk is full\n"


def test_control_characters_in_messages_are_escaped(capsys):
    exit_code_of(UsageError("a\n\x1b[31m\udcff.png is no folder", "rename a\n"))
    assert capsys.readouterr().err == ("imgpool: a\\n\\x1b[31m\\udcff.png is no folder\n  → rename a\\n\n")


def test_unexpected_error_has_no_traceback_unless_requested(capsys):
    exit_code_of(ZeroDivisionError("division by zero"))
    err = capsys.readouterr().err
    assert err.splitlines() == [
        "imgpool: an unexpected error occurred (division by zero)",
        "  → run again with -v to see the traceback",
    ]
    exit_code_of(ZeroDivisionError("division by zero"), verbose=True)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "-v" not in err


def test_expected_error_has_a_traceback_if_requested(capsys):
    exit_code_of(RunError("the disk is full"), verbose=True)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("imgpool: the disk is full\n")


def test_interruption_shows_the_advice(capsys):
    exit_code_of(Interrupted(signal.SIGTERM, "run it again"))
    assert capsys.readouterr().err == "terminated; run it again\n"
    exit_code_of(KeyboardInterrupt())
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_signal_unwinds_the_command(capsys, number, word):
    before = signal.getsignal(number)
    unwound = []

    def command():
        with exit_codes():
            try:
                signal.raise_signal(number)
            finally:
                unwound.append(True)

    with pytest.raises(typer.Exit) as caught:
        command()
    assert caught.value.exit_code == 128 + number
    assert unwound == [True]
    assert capsys.readouterr().err == f"{word}\n"
    assert signal.getsignal(number) is before


def test_unwritable_stderr_does_not_change_the_exit_code(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert exit_code_of(UsageError("x", "y")) == 2
        assert exit_code_of(Interrupted(signal.SIGINT, "z")) == 130


@pytest.mark.parametrize("error", [typer.Exit(1), typer.Abort()])
def test_exceptions_of_typer_pass_through(error):
    with pytest.raises(type(error)) as caught, exit_codes():
        raise error
    assert caught.value is error


def test_requested_exit_keeps_its_code():
    assert exit_code_of(typer.Exit(1)) == 1


def test_parameters_in_messages_are_shown_as_options(capsys):
    exit_code_of(RunError(f"{Hint('max_memory')} is too small", f"use {Hint('max_memory', '8GiB')}"))
    assert capsys.readouterr().err == "imgpool: --max-memory is too small\n  → use --max-memory 8GiB\n"


def test_json_is_one_ascii_object_on_stdout(capsys):
    print_json({"source": "\udcff\n🔬"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"source": "\udcff\n🔬"}
    assert out.isascii()
    assert out.endswith("}\n")
    assert err == ""


@pytest.mark.parametrize(
    ("error", "line", "remedy"),
    [
        (OSError(24, "Too many open files"), "the limit of open files is reached", "ulimit -n"),
        (OSError(2, "No such file or directory", "a.tif"), "a.tif: no such file or directory", "check the path"),
        (PermissionError(13, "Permission denied", b"a\xff.tif"), "a\\udcff.tif: permission denied", "run as the owner"),
        (OSError(28, "No space left on device"), "no space left on device", "free some space"),
        (OSError(5, "Input/output error", "a.tif"), "a.tif: input/output error", "check the disk"),
        (RuntimeError("can't start new thread"), "the limit of processes and threads is reached", "ulimit -u"),
        (MemoryError(), "there is not enough memory", "ulimit -v"),
        (OSError(12, "Cannot allocate memory", "a.tif"), "there is not enough memory", "ulimit -v"),
    ],
)
def test_error_of_the_system_names_its_file_and_a_remedy(capsys, error, line, remedy):
    assert exit_code_of(error) == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"imgpool: {line}"
    assert second.startswith("  → ")
    assert remedy in second


def test_missing_current_folder_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        os.getcwd()
    assert exit_code_of(caught.value) == 2
    assert "the current folder no longer exists" in capsys.readouterr().err
    tmp_path.mkdir()


def test_paths_below_the_current_folder_are_relative(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exit_code_of(UsageError(f"{tmp_path}/a b/c.tif and '{tmp_path}/d' exist in {tmp_path}-x/e, not x{tmp_path}/f"))
    expected = f"imgpool: a b/c.tif and 'd' exist in {tmp_path}-x/e, not x{tmp_path}/f\n"
    assert capsys.readouterr().err == expected
