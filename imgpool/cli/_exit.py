"""How a command ends: an error becomes a sentence, a remedy and an exit code; data, one JSON object on stdout."""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from imgpool.core.errors import ImgpoolError, UsageError
from imgpool.report.text import printable

BAD_USAGE = 2
CANNOT_GO_ON = 3
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Terminated(BaseException):
    """SIGTERM has come; like KeyboardInterrupt, it unwinds everything."""


@contextmanager
def exit_codes(*, verbose: bool = False, interrupted: str = "") -> Iterator[None]:
    """Turn what is raised inside into a message on stderr and the documented exit code.

    Parameters
    ----------
    verbose
        Show the traceback too.
    interrupted
        What to say when the run is interrupted: how to go on.
    """
    try:
        yield
    except ImgpoolError as error:
        _leave(error, verbose, BAD_USAGE if isinstance(error, UsageError) else CANNOT_GO_ON)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; {interrupted}" if interrupted else "interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except Terminated:
        typer.echo(f"terminated; {interrupted}" if interrupted else "terminated", err=True)
        raise typer.Exit(TERMINATED) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
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
    typer.secho(f"imgpool: {printable(message)}", fg="red", err=True)
    if hint:
        typer.secho(f"  → {printable(hint)}", err=True)
    raise typer.Exit(code) from None


def stop_on_sigterm() -> None:
    """Make SIGTERM unwind the program as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def print_json(data: object) -> None:
    """Print one JSON object on stdout."""
    import json

    sys.stdout.write(json.dumps(data, indent=2) + "\n")
