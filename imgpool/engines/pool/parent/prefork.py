"""Prefork: a host that is forked before it is known what it will do. It gets ready while its parent reads and plans.

Modules that parent and host both need are imported once, before the fork; after it, both continue in parallel. A fork
server would import all of them again. This early, a fork is safe: there are no other threads.

If the parent is killed, nothing stays behind. Like every host, this one leads a process group of its own, so signals to
the parent's group do not reach it, and it removes the parent's folder for sockets when the parent has ended.
"""

import atexit
import contextlib
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from imgpool.engines.pool.host.main import main_prefork
from imgpool.engines.pool.protocol.claims import SLOTS_PER_WORKER, Claims
from imgpool.engines.pool.protocol.config import EarlyCall
from imgpool.system.gc_control import freeze_gc_before_fork
from imgpool.system.processes import clean_start, kill_group, start
from imgpool.system.start_methods import fork_is_safe
from imgpool.system.temporary import marked_socket_folder

POLL_INTERVAL_S = 0.1

MIN_WORKER_CAPACITY = 64
"""Number of workers that claims are allocated for; more if the machine has more processors."""


@dataclass(frozen=True, slots=True)
class PreforkHost:
    """A host that waits for its configuration.

    Attributes
    ----------
    process, connection, claims
        As for a host that is started with its configuration.
    capacity
        The most workers that it can have.
    owner
        Process id of the parent; only it may use the host.
    """

    process: BaseProcess
    connection: Connection
    claims: Claims
    capacity: int
    owner: int

    def discard(self) -> None:
        """End the host, unless it belongs to another process."""
        if self.owner == os.getpid():
            kill_group(self.process)
            self.process.join()
            self.connection.close()
            self.process.close()


_waiting: PreforkHost | None = None


def start_prefork_host(modules: Sequence[str]) -> None:
    """Fork a host now. If it is not needed, it ends with this process at the latest.

    Does nothing where a fork would not be safe, or if no process can be started: a host is then started when it is
    needed (`imgpool.engines.pool.parent.host_process`).

    Parameters
    ----------
    modules
        Modules that the host imports while it waits for its configuration.
    """
    global _waiting  # noqa: PLW0603 - there is one per process, like the fork server
    if not fork_is_safe():
        return
    with contextlib.suppress(OSError):
        _waiting = _fork(modules)
        atexit.register(discard_prefork_host)  # runs before multiprocessing's handler, which would wait for it forever


def take_prefork_host(workers: int) -> PreforkHost | None:
    """Return the prefork host if it is alive and can have that many workers. It is returned only once."""
    global _waiting  # noqa: PLW0603 - there is one per process, like the fork server
    host = _waiting
    if host is None or host.owner != os.getpid():
        return None
    _waiting = None
    atexit.unregister(discard_prefork_host)
    if workers <= host.capacity and host.process.is_alive():
        return host
    host.discard()
    return None


def call_prefork_host(
    function: Callable[[Callable[[Any], object]], object],
    memory: int,
    on_message: Callable[[Any], object],
    should_stop: Callable[[], bool],
) -> bool | None:
    """Let the prefork host call a function before it is used: it has imported what most images need.

    Parameters
    ----------
    function
        Picklable; called with a function that sends a message to this process.
    memory
        Bytes that it may allocate.
    on_message
        Called in this process with each message.
    should_stop
        Called several times a second; once it returns True, the host is discarded.

    Returns
    -------
    bool or None
        Whether the function returned; if it did not, the host has been discarded. None if there is no prefork host.
    """
    host = _waiting
    if host is None or host.owner != os.getpid():
        return None
    try:
        host.connection.send(EarlyCall(memory))
        for message in _receive(host.connection, should_stop):
            if message is None:
                return True
            if isinstance(message, EarlyCall):  # the host is ready to receive
                host.connection.send_bytes(pickle.dumps(function))
            else:
                on_message(message)
    except (EOFError, OSError):  # it has ended
        pass
    except BaseException:
        discard_prefork_host()
        raise
    discard_prefork_host()
    return False


def _receive(connection: Connection, should_stop: Callable[[], bool]) -> Iterator[Any]:
    while not should_stop():
        if connection.poll(POLL_INTERVAL_S):
            yield connection.recv()


def discard_prefork_host() -> None:
    """End the prefork host if it has not been taken."""
    global _waiting  # noqa: PLW0603 - there is one per process, like the fork server
    if host := _waiting:
        _waiting = None
        host.discard()


def _fork(modules: Sequence[str]) -> PreforkHost:
    context = multiprocessing.get_context("fork")
    capacity = max(MIN_WORKER_CAPACITY, os.cpu_count() or 1)
    claims = Claims(context, (SLOTS_PER_WORKER + 1) * capacity)
    connection, hosts_end = context.Pipe()
    arguments = (tuple(modules), claims, connection, hosts_end, marked_socket_folder())
    process = context.Process(target=main_prefork, args=arguments)
    freeze_gc_before_fork()
    try:
        with hosts_end, clean_start(forked=True):
            start(process, "fork")
    except BaseException:  # if the host has started nevertheless, it ends when it finds the connection closed
        connection.close()
        raise
    return PreforkHost(process, connection, claims, capacity, os.getpid())
