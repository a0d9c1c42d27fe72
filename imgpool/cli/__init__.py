"""The command line: turns options into settings, and results into exit codes.

`main` is the entry point of ``imgpool``. Every command is one file that is named like it (``process.py``); modules
that start with an underscore are shared by the commands. To add a command, add a file and register it in ``_app.py``.
"""

import os
import sys

__all__ = ["main"]

WATCHED_COMMANDS = {"process", "compare", "estimate"}
"""Commands that compute in their own process, in libraries that may hold the GIL."""


LIMIT_REACHED = b"""imgpool: the limit of open files or of memory is too low to start
  \xe2\x86\x92 raise it with `ulimit -n 1024` or `ulimit -v unlimited`, then run the same command again
"""
"""Printed without importing anything: that is what has failed."""


def main() -> None:
    """Run the command line; a signal or a limit ends it with a message, even while modules are being imported."""
    try:
        _run()
    except (OSError, MemoryError, SystemError):
        os.write(2, LIMIT_REACHED)
        os._exit(3)


def _run() -> None:
    try:
        from imgpool.system.signals import exit_on_signals

        exit_on_signals()
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        os._exit(130)
    from imgpool.system.file_names import use_utf8_names
    from imgpool.system.gc_control import freeze_gc_at_exit
    from imgpool.system.streams import open_standard_streams
    from imgpool.system.threads import set_one_thread_environment

    use_utf8_names()
    set_one_thread_environment()  # OpenBLAS sends SIGINT to a process that cannot have another thread
    freeze_gc_at_exit()
    open_standard_streams()
    watched = bool(sys.argv[1:2]) and sys.argv[1] in WATCHED_COMMANDS
    if watched:
        from imgpool.system.signal_watchdog import start_signal_watchdog

        start_signal_watchdog()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for plug-ins takes long
    if sys.argv[1:2] == ["process"]:
        from imgpool.cli._prefork import prepare_process_command

        prepare_process_command(sys.argv[2:])
    if watched:
        from imgpool.system.signal_watchdog import signal_watchdog

        signal_watchdog().prepare_exit()
    from imgpool.cli._app import main as run

    run()
