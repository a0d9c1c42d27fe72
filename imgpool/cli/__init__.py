"""The command line: Typer only; what is done is done below."""

from imgpool.cli._app import main

__all__ = ["main"]
