"""The one place where an error becomes a sentence, a remedy and an exit code."""

import json
import signal

import pytest
import typer

from imgpool.cli._exit import exit_codes, print_json, stop_on_sigterm
from imgpool.core.errors import (
    ImageError,
    ImgpoolError,
    ReadError,
    RecipeError,
    RunError,
    UsageError,
    WorkerError,
)


def leave(error, **options):
    """The exit code of a command that raises this error."""
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
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes_are_as_documented(error, code):
    assert leave(error) == code


def test_nothing_is_done_to_a_command_that_ends_well(capsys):
    with exit_codes():
        pass
    assert capsys.readouterr() == ("", "")


def test_an_error_is_one_sentence_with_its_remedy_on_stderr(capsys):
    leave(RecipeError("no filter is called 'gausian'", "did you mean gaussian?"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "imgpool: no filter is called 'gausian'\n  → did you mean gaussian?\n"
    leave(RunError("the disk is full"))
    assert capsys.readouterr().err == "imgpool: the disk is full\n"


def test_names_in_an_error_cannot_disturb_the_terminal(capsys):
    leave(UsageError("a\n\x1b[31m\udcff.png is no folder", "rename a\n"))
    assert capsys.readouterr().err == ("imgpool: a\\n\\x1b[31m\\udcff.png is no folder\n  → rename a\\n\n")


def test_an_unforeseen_error_is_named_without_a_traceback_unless_asked(capsys):
    leave(ZeroDivisionError("division by zero"))
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "-v" in err
    assert "Traceback" not in err
    leave(ZeroDivisionError("division by zero"), verbose=True)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "-v" not in err


def test_a_traceback_is_shown_of_foreseen_errors_too_when_asked(capsys):
    leave(RunError("the disk is full"), verbose=True)
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("imgpool: the disk is full\n")


def test_an_interruption_says_how_to_go_on(capsys):
    assert leave(KeyboardInterrupt(), interrupted="run it again") == 130
    assert "interrupted; run it again" in capsys.readouterr().err
    leave(KeyboardInterrupt())
    assert capsys.readouterr().err == "interrupted\n"


def test_sigterm_unwinds_the_command_as_ctrl_c_does(capsys):
    before = signal.getsignal(signal.SIGTERM)
    unwound = []

    def command():
        with exit_codes(interrupted="run it again"):
            stop_on_sigterm()
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                unwound.append(True)

    try:
        with pytest.raises(typer.Exit) as caught:
            command()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.exit_code == 143
    assert unwound == [True]
    assert "terminated; run it again" in capsys.readouterr().err


@pytest.mark.parametrize("error", [typer.Exit(1), typer.Abort(), BrokenPipeError()])
def test_what_typer_handles_itself_goes_through(error):
    with pytest.raises(type(error)) as caught, exit_codes():
        raise error
    assert caught.value is error


def test_an_exit_asked_for_keeps_its_code():
    assert leave(typer.Exit(1)) == 1


def test_json_is_one_object_on_stdout_whatever_names_are_in_it(capsys):
    print_json({"source": "\udcff\n🔬"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"source": "\udcff\n🔬"}
    assert out.isascii()
    assert out.endswith("}\n")
    assert err == ""
