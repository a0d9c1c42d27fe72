"""The command line: Typer only; what is done is done below."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a signal ends it with a word, also while all that it needs is being imported."""
    try:
        from imgpool.system.signals import exit_on_signals

        exit_on_signals()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)
    from imgpool.system.gc_control import freeze_gc_at_exit
    from imgpool.system.streams import open_standard_streams

    freeze_gc_at_exit()
    open_standard_streams()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # nobody watches, and it takes long to see that
    if sys.argv[1:2] == ["process"]:
        from imgpool.cli._prefork import begin_to_process

        begin_to_process(sys.argv[2:])
    from imgpool.cli._app import main as run

    run()
