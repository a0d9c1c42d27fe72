"""How a command ends: an error becomes a sentence, a remedy and an exit code; data, one JSON object on stdout."""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from imgpool.cli._interrupts import Interrupted, unwinding
from imgpool.core.errors import ImgpoolError, UsageError
from imgpool.report.hints import with_options
from imgpool.report.text import printable
from imgpool.system.signals import SIGNAL_WORDS
from imgpool.system.streams import print_text, redirect_to_devnull

BAD_USAGE = 2
CANNOT_GO_ON = 3


@contextmanager
def exit_codes(*, verbose: bool = False) -> Iterator[None]:
    """Turn what is raised inside into a message on stderr and the documented exit code; signals raise too.

    Parameters
    ----------
    verbose
        Show the traceback too.
    """
    try:
        with unwinding():
            yield
    except ImgpoolError as error:
        _leave(error, verbose, BAD_USAGE if isinstance(error, UsageError) else CANNOT_GO_ON)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        say_interrupted(number, error.advice if isinstance(error, Interrupted) else "")
        raise typer.Exit(128 + number) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - a person is never shown a traceback unasked
        _leave(error, verbose, CANNOT_GO_ON)


def _leave(error: Exception, verbose: bool, code: int) -> NoReturn:  # noqa: FBT001 - private
    if verbose:
        traceback.print_exception(error)
    if isinstance(error, ImgpoolError):
        message, hint = error.message, error.hint
    else:
        message, hint = f"{type(error).__name__}: {error}", "" if verbose else "run again with -v to see where"
    _say(f"imgpool: {printable(with_options(message))}", fg="red")
    if hint:
        _say(f"  → {printable(with_options(hint))}")
    raise typer.Exit(code) from None


def say_interrupted(number: int, advice: str) -> None:
    """Say on stderr which signal it was, and how to go on."""
    _say(f"{SIGNAL_WORDS[number]}; {advice}" if advice else SIGNAL_WORDS[number])


def _say(text: str, fg: str | None = None) -> None:
    """Print a line on stderr; an end without an audience has the same exit code."""
    try:
        typer.secho(text, fg=fg, err=True)
    except OSError:
        redirect_to_devnull(sys.stderr)


def print_json(data: object) -> None:
    """Print one JSON object on stdout."""
    import json

    print_text(json.dumps(data, indent=2))
