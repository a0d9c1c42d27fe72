"""Functions for processes that compete for an output folder."""

import errno
import os
import sys
import time
from pathlib import Path

from imgpool.core.errors import RunError
from tests.support.run_files import run_of


def pretend(*, locks=True, host=None):
    """Make this process believe that file systems have no locks, or that it runs on another machine."""
    import socket

    import filelock

    from imgpool.output import lock, run_file

    def no_locks(_descriptor, *, blocking):
        assert not blocking
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    if not locks:
        filelock.lock_descriptor = no_locks
        lock.RACE_DELAY_S = 0.5
    if host:
        socket.gethostname = lambda: host
        run_file.boot_id = lambda: f"boot of {host}"


def compete(folders, together, outcomes, *, locks, hosts=None):
    """Try to take one folder after the other at the same moment as other processes, and report who got it.

    Parameters
    ----------
    together
        A barrier of all that compete.
    """
    from imgpool.output.lock import OutputLock
    from imgpool.output.unsettled import PlannedRun, UnsettledTargets

    pretend(locks=locks, host=f"host-{os.getpid()}" if hosts else None)
    for folder in folders:
        together.wait()
        held = OutputLock(folder, run_of(to_do=0), UnsettledTargets(folder, PlannedRun()))
        try:
            held.__enter__()
        except RunError as error:
            outcomes.put((folder, os.getpid(), error.message))
            together.wait()
        else:
            outcomes.put((folder, os.getpid(), ""))
            together.wait()  # until all have tried
            held.__exit__(None, None, None)


def stand_still(folder, *, host):
    """Hold a folder without locks, be suspended, and write down the error after waking up."""
    from imgpool.core.task import Result, Task
    from imgpool.output.session import OutputSession
    from imgpool.output.unsettled import PlannedRun

    pretend(locks=False, host=host)
    notes = Path(folder).with_name("notes")
    try:
        with OutputSession(folder, run_of(), PlannedRun("key"), {}, lambda: None) as session:
            notes.write_text("at work")
            while not Path(folder).with_name("go").exists():
                time.sleep(0.01)
            session.record(Result(Task("/photos/a.png", f"{folder}/a.png", 1, 1), "done"))
    except RunError as error:
        notes.write_text(error.message)
    sys.exit(0)
