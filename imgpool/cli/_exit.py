"""How a command ends: errors become a message, a hint and an exit code; data become one JSON object on stdout."""

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from imgpool.cli._interrupts import Interrupted, raise_on_signals
from imgpool.core.errors import ImgpoolError, RunError, UsageError
from imgpool.report.text import current_folder, printable, relative
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
        raise typer.Exit(print_error(error, verbose=verbose)) from None
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Interrupted) else signal.SIGINT
        print_interrupted(number, error.advice if isinstance(error, Interrupted) else "")
        raise typer.Exit(exit_code(number)) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:  # noqa: BLE001 - users see a traceback only if they ask for it
        raise typer.Exit(print_error(error, verbose=verbose)) from None


def print_interrupted(number: int, advice: str) -> None:
    """Print on stderr which signal ended the command, and how to continue."""
    _print_stderr(f"{SIGNAL_WORDS[number]}; {advice}" if advice else SIGNAL_WORDS[number])


def print_json(data: object) -> None:
    """Print one JSON object on stdout."""
    import json

    print_text(json.dumps(data, indent=2))


def print_error(error: Exception, *, verbose: bool = False) -> int:
    """Print an error in one line, and its remedy in another; return the exit code.

    Parameters
    ----------
    verbose
        Print the traceback first.
    """
    from imgpool.report.hints import with_options

    if verbose:
        traceback.print_exception(error)
    known = error if isinstance(error, ImgpoolError) else _explain(error, verbose=verbose)
    _print_stderr(f"imgpool: {printable(with_options(relative(known.message)))}", fg="red")
    if known.hint:
        _print_stderr(f"  → {printable(with_options(relative(known.hint)))}")
    return EXIT_USAGE_ERROR if isinstance(known, UsageError) else EXIT_RUN_ERROR


def _explain(error: Exception, *, verbose: bool) -> ImgpoolError:
    """Describe an error that imgpool has not raised on purpose."""
    from imgpool.core.failures import explain
    from imgpool.core.hint import Hint
    from imgpool.core.system_limits import explain_limit

    if isinstance(error, FileNotFoundError) and not error.filename and not current_folder():
        return UsageError("the current folder no longer exists", "change to another folder, then try again")
    if limit := explain_limit(error):
        return RunError(*limit)
    failure = explain(error, "worker")
    if isinstance(error, OSError):
        name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return RunError(f"{name}{failure.message}", failure.hint)
    return RunError(failure.message, "" if verbose else f"run again with {Hint('verbose')} to see the traceback")


def _print_stderr(text: str, fg: str | None = None) -> None:
    """Print a line on stderr; if nobody reads it, the exit code must not change."""
    try:
        typer.secho(text, fg=fg, err=True)
    except OSError:
        redirect_to_devnull(sys.stderr)
