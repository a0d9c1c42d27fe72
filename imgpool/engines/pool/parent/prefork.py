"""A host that is forked before anybody knows what it is to do: it gets ready while its parent reads and plans.

What both need is imported once, before the fork, and both go on side by side. A fork server would import all of it
again, in the same time as its parent; and this early a fork is safe, for there are no other threads yet.

A run that is killed leaves nothing behind: as every host it leads a session of its own, so that a signal to the
run's group does not reach it, and removes the folder for sockets when its parent is gone.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import get_temp_dir

from imgpool.engines.pool.host.host import await_order
from imgpool.engines.pool.protocol.claims import SLOTS, Claims
from imgpool.system.processes import clean_start, kill_group, start

ROOM = 64
"""Workers that there are claims for; more where the machine has more processors."""


@dataclass(frozen=True, slots=True)
class PreforkedHost:
    """A host that waits for its order.

    Attributes
    ----------
    process, connection, claims
        As a host has them that is started with its order.
    room
        The most workers that it can have.
    owner
        The process that may give it an order.
    """

    process: BaseProcess
    connection: Connection
    claims: Claims
    room: int
    owner: int

    def discard(self) -> None:
        """End it, unless it is another process's."""
        if self.owner == os.getpid():
            kill_group(self.process)
            self.process.join()
            self.connection.close()
            self.process.close()


_waiting: PreforkedHost | None = None


def start_prefork_host(modules: Sequence[str]) -> None:
    """Fork a host now. Whoever needs none has lost nothing: it ends with this process, if not before.

    Nor is anything lost where none is forked, for want of processes or because it would not be safe:
    `imgpool.engines.pool.parent.host_process` starts one when it is needed.

    Parameters
    ----------
    modules
        What it imports meanwhile.
    """
    global _waiting  # noqa: PLW0603 - there is one, as there is one fork server
    if sys.platform != "linux" or threading.active_count() > 1:
        return
    with contextlib.suppress(OSError):
        _waiting = _fork(modules)
        atexit.register(_discard)  # runs before multiprocessing's own, which would wait for it for ever


def take(workers: int) -> PreforkedHost | None:
    """The host that waits, if there is one, it lives and has room for so many workers; nobody else gets it."""
    global _waiting  # noqa: PLW0603
    early = _waiting
    if early is None or early.owner != os.getpid():
        return None
    _waiting = None
    atexit.unregister(_discard)
    if workers <= early.room and early.process.is_alive():
        return early
    early.discard()
    return None


def _fork(modules: Sequence[str]) -> PreforkedHost:
    context = multiprocessing.get_context("fork")
    room = max(ROOM, os.cpu_count() or 1)
    claims = Claims(context, (SLOTS + 1) * room)
    connection, hosts_end = context.Pipe()
    arguments = (tuple(modules), claims, connection, hosts_end, get_temp_dir())
    process = context.Process(target=await_order, args=arguments)
    gc.freeze()  # else the host would copy what it shares with this process by looking through it for garbage
    try:
        with hosts_end, clean_start(forked=True):
            start(process, "fork")
    except BaseException:  # a host that was started all the same ends when it finds nobody there
        connection.close()
        raise
    return PreforkedHost(process, connection, claims, room, os.getpid())


def _discard() -> None:
    if _waiting:
        _waiting.discard()
