"""The fork server, started before anybody knows what its processes are to do: what they import takes longest."""

import atexit
import contextlib
import gc
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Sequence
from multiprocessing.util import get_temp_dir

from imgpool.engines._processes import clean_start, import_all, is_gone, start_fork_server

FAREWELL = 0.5  # seconds between a parent's last word and its end
FOR_THE_SERVER = "IMGPOOL_FORK_SERVER"
"""The environment variable that tells a fork server who its parent is, where it has its sockets, and what to import."""


def prepare(preload: Sequence[str]) -> None:
    """Start the fork server now, so that it imports while this process does something else.

    Whoever needs no workers after all has lost nothing: the server ends with this process. Nor is anything lost
    where it does not start: `imgpool.engines._host_process` starts another, or says why it cannot.

    Parameters
    ----------
    preload
        Modules that most runs need; what else one needs is imported by its host.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return
    with contextlib.suppress(OSError):
        os.environ[FOR_THE_SERVER] = json.dumps([os.getpid(), get_temp_dir(), list(preload)])
        try:
            with clean_start(forked=False):
                multiprocessing.set_forkserver_preload([__name__])
                start_fork_server()
        finally:
            del os.environ[FOR_THE_SERVER]


def _be_server(parent: int, folder: str, modules: Sequence[str]) -> None:
    """Import; nothing of that becomes garbage, nor is it ever looked through for garbage in what is forked."""
    atexit.register(_follow, parent, folder)
    gc.disable()
    for module in modules:
        import_all([module])
        if os.getppid() != parent:
            sys.exit()
    gc.freeze()
    gc.enable()


def _follow(parent: int, folder: str) -> None:
    """Remove the sockets of a parent that was killed; and end at once, for there is nothing to be saved."""
    if os.path.isdir(folder) and is_gone(parent, FAREWELL):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if _told := os.environ.pop(FOR_THE_SERVER, None):
    _be_server(*json.loads(_told))
