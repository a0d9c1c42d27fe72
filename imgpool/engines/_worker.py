"""What runs in a worker process: set up once, then chunk after chunk."""

import contextlib
import os
import pickle
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import current_process
from multiprocessing.connection import Connection

from imgpool.core.engine import Function
from imgpool.core.task import Task
from imgpool.engines._answers import Answers, SetupFailure, answer, pack
from imgpool.engines._claims import Claims
from imgpool.engines._processes import birth_number, when_parent_ends
from imgpool.engines._threads import use_one_thread

Chunk = Sequence[tuple[int, Task]]


@dataclass(frozen=True, slots=True)
class _Worker:
    function: Function
    state: object
    claims: Claims


_worker: _Worker | SetupFailure


def set_up(
    workers: int, payload: bytes, worker_memory: int | None, claims: Claims, inherited: Sequence[Connection]
) -> None:
    """Make this process a worker; the initializer of the pool.

    Parameters
    ----------
    workers
        How many there are; one more is a replacement for a dead one, and gets no work: the host does not know
        it, and is about to throw the pool away.
    payload
        Function and initializer, pickled: what they import is imported here, and fails here.
    inherited
        The host's connections that a forked worker holds copies of; closed, so that they end with the host.
    """
    global _worker  # noqa: PLW0603 - a pool's initializer can leave its work nowhere else
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for connection in inherited:
        connection.close()
    when_parent_ends(lambda: os._exit(1))
    if birth_number(current_process()) > workers:
        threading.Event().wait()
    try:
        function, initializer = pickle.loads(payload)  # noqa: S301 - pickled by our own parent
        _worker = _Worker(function, initializer(), claims)
        use_one_thread()
        _limit_memory(worker_memory)
    except BaseException as error:  # noqa: BLE001 - a pool replaces a worker whose initializer raises, for ever
        _worker = SetupFailure.of(error)


def work(ticket: tuple[int, Chunk]) -> Answers | SetupFailure:
    """Answer every task of a chunk, which comes with its slot among the claims."""
    if isinstance(_worker, SetupFailure):
        return _worker
    slot, chunk = ticket
    results = []
    for index, task in chunk:
        _worker.claims.claim(slot, index)
        results.append((index, pack(answer(_worker.function, _worker.state, task))))
    _worker.claims.drop(slot)
    return Answers(slot, results)


def _limit_memory(extra: int | None) -> None:
    """Make an allocation of more than `extra` bytes beyond what this process holds now a MemoryError, if possible."""
    if extra is None or sys.platform == "win32":
        return
    import resource

    import psutil

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + extra
    soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS may refuse any limit: better none than no worker
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
