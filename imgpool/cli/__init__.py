"""The command line: Typer only; what is done is done below."""

import os

__all__ = ["main"]


def main() -> None:
    """Run the command line; a signal ends it with a word, also while all that it needs is being imported."""
    try:
        from imgpool.cli._signals import end_at_once

        end_at_once()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)
    from imgpool.report.stream import open_standard_streams

    open_standard_streams()
    from imgpool.cli._app import main as run

    run()
