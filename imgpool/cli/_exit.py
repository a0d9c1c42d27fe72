"""How a command ends: errors become a message, a hint and an exit code; data become one JSON object on stdout."""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from imgpool.cli._interrupts import Interrupted, raise_on_signals
from imgpool.core.errors import ImgpoolError, UsageError
from imgpool.report.text import printable
from imgpool.system.signals import SIGNAL_WORDS, exit_code
from imgpool.system.streams import print_text, redirect_to_devnull

EXIT_USAGE_ERROR = 2
EXIT_RUN_ERROR = 3


@contextmanager
def exit_codes(*, verbose: bool = False) -> Iterator[None]:
    """Turn exceptions, including those raised by signals, into a message on stderr and the documented exit code.

    Parameters
    ----------
    verbose
        Print the traceback too.
    """
    try:
        with raise_on_signals():
            yield
    except ImgpoolError as error:
        code = EXIT_USAGE_ERROR if isinstance(error, UsageError) else EXIT_RUN_ERROR
        _exit_with_error(error, code, verbose=verbose)
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        print_interrupted(number, error.advice if isinstance(error, Interrupted) else "")
        raise typer.Exit(exit_code(number)) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - users see a traceback only if they ask for it
        _exit_with_error(error, EXIT_RUN_ERROR, verbose=verbose)


def print_interrupted(number: int, advice: str) -> None:
    """Print on stderr which signal ended the command, and how to continue."""
    _print_stderr(f"{SIGNAL_WORDS[number]}; {advice}" if advice else SIGNAL_WORDS[number])


def print_json(data: object) -> None:
    """Print one JSON object on stdout."""
    import json

    print_text(json.dumps(data, indent=2))


def _exit_with_error(error: Exception, code: int, *, verbose: bool) -> NoReturn:
    from imgpool.report.hints import with_options

    if verbose:
        traceback.print_exception(error)
    if isinstance(error, ImgpoolError):
        message, hint = error.message, error.hint
    else:
        message, hint = f"{type(error).__name__}: {error}", "" if verbose else "run again with -v to see the traceback"
    _print_stderr(f"imgpool: {printable(with_options(message))}", fg="red")
    if hint:
        _print_stderr(f"  → {printable(with_options(hint))}")
    raise typer.Exit(code) from None


def _print_stderr(text: str, fg: str | None = None) -> None:
    """Print a line on stderr; if nobody reads it, the exit code must not change."""
    try:
        typer.secho(text, fg=fg, err=True)
    except OSError:
        redirect_to_devnull(sys.stderr)
