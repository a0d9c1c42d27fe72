"""The process in which a pool lives, between the parent and the workers.

A `multiprocessing.Pool` does not survive the death of a worker: the task is never answered, and if the worker
held a lock of the queues nothing moves any more, not even `Pool.terminate`. So each pool lives in a process of
its own that leads a process group: the host. To throw a broken pool away is to kill that group.

::

                              tasks                       chunks
             parent ───────────────────────▶ host ───────────────────▶ workers
               ▲                              │ ▲                        │
               └── answers, deaths, the end ──┘ └── answers, claims ─────┘

What the host does::

    start ──▶ serving ──every task answered──▶ pool closed and joined ──▶ exit
                 │
                 ├── a worker died or was killed for its time ──▶ tell what has arrived, then the deaths ─┐
                 ├── a worker could not be set up ──▶ tell why ───────────────────────────────────────────┤
                 └── SIGTERM, or nobody reads ────────────────────────────────────────────────────────────┤
                                                                                                          ▼
                                                                                the whole group is killed

The parent then starts another host with the tasks that have no answer yet. It also kills the group itself, for
a host may have died.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue

from imgpool.engines._answers import Death, SetupFailure
from imgpool.engines._chunks import chunk_lengths, cut
from imgpool.engines._claims import Claims
from imgpool.engines._processes import birth_number, import_all, kill_own_group, lead_group, when_parent_ends
from imgpool.engines._threads import ONE_THREAD
from imgpool.engines._watch import TICK, Watch
from imgpool.engines._worker import Chunk, set_up, work

SLOTS = 3  # chunks under way per worker: one in hand, one waiting for it, one on its way back
TERMINATION = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Order:
    """What a host is told to do.

    Attributes
    ----------
    tasks
        With their indices, in the order in which they are started.
    suspects
        Tasks that took a worker with them before: each is a chunk of its own, after all others.
    payload
        Function and initializer, pickled.
    workers, chunksize, timeout, worker_memory, preload
        As in `imgpool.core.engine.EngineOptions`.
    start_method
        How the workers come to be: forked from the host, or spawned.
    """

    tasks: Chunk
    suspects: Chunk
    payload: bytes
    workers: int
    chunksize: int | None
    timeout: float | None
    worker_memory: int | None
    preload: tuple[str, ...]
    start_method: str

    def chunks(self) -> Iterator[Chunk]:
        """The tasks as they are handed to the workers, cut when they are asked for."""
        lengths = chunk_lengths([task.size for _, task in self.tasks], self.workers, self.chunksize)
        yield from cut(self.tasks, lengths)
        yield from ((suspect,) for suspect in self.suspects)


class Host:
    """One pool, from its start to its end or its first death."""

    def __init__(self, order: Order, writer: Connection) -> None:
        self._forked = order.start_method == "fork"
        self._writer = writer
        self._free: SimpleQueue[int | None] = SimpleQueue()
        for slot in range(SLOTS * order.workers):
            self._free.put(slot)
        context = multiprocessing.get_context(order.start_method)
        claims = Claims(context, SLOTS * order.workers)
        inherited = [writer] if self._forked else []
        arguments = (order.workers, order.payload, order.worker_memory, claims, inherited)
        self._pool = context.Pool(order.workers, set_up, arguments)
        workers = multiprocessing.active_children()
        self._complete = _are_the_first(workers, order.workers)
        self._watch = Watch(workers, claims, order.timeout)
        self._results = self._pool.imap_unordered(work, self._feed(order.chunks()), chunksize=1)

    def serve(self) -> bool:
        """Send answers until all are there (True), or until the pool is broken (False)."""
        if not self._complete:
            self._writer.send(Death("while starting", None))
            return False
        while True:
            try:
                answers = self._results.next(timeout=TICK)
            except multiprocessing.TimeoutError:
                pass
            except StopIteration:
                return True
            else:
                self._writer.send(answers)  # waits for a slow reader, and the feeder with it
                if isinstance(answers, SetupFailure):
                    return False
                self._free.put(answers.slot)
            if self._watch.due() and self._watch.look():
                self._tell_deaths()
                return False

    def leave(self, *, whole: bool) -> None:
        """End the pool if it is whole; never wait for it if it is broken."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this is the end already
        if whole:
            self._pool.close()
            self._pool.join()
        elif self._forked:
            kill_own_group()  # at once: a worker that still finds somebody to talk to, but no reader, complains
        else:
            self._release_semaphores()

    def _feed(self, chunks: Iterator[Chunk]) -> Iterator[tuple[int, Chunk]]:
        """The chunks, each when there is a free slot: the pool itself would take all at once."""
        for chunk in chunks:
            slot = self._free.get()
            if slot is None:
                return
            yield slot, chunk

    def _tell_deaths(self) -> None:
        with contextlib.suppress(multiprocessing.TimeoutError, StopIteration):
            while True:
                self._writer.send(self._results.next(timeout=TICK))
        for death in self._watch.deaths():
            self._writer.send(death)

    def _release_semaphores(self) -> None:
        """Let the locks of a pool with spawned workers be removed: they have names, and outlive their process.

        Only an orderly exit does it, which begins with `Pool.terminate`; and that may wait for ever for a lock
        that a dead worker holds. So it runs in a thread, for a while.
        """
        self._free.put(None)
        termination = threading.Thread(target=self._pool.terminate, daemon=True)
        termination.start()
        termination.join(TERMINATION)


def main(order: Order, reader: Connection, writer: Connection) -> None:
    """Run the order in this process; write answers, deaths and at last None to `writer`.

    Parameters
    ----------
    reader
        The parent's end, closed here so that writing fails once the parent has closed its own.
    """
    _become_host(reader)
    host, whole = None, False
    try:
        import_all(order.preload)
        host = Host(order, writer)
        when_parent_ends(kill_own_group)  # not before: workers are forked while there is but one thread
        whole = host.serve()
        writer.send(None)
    except BrokenPipeError:
        pass  # nobody is there to be told
    except Exception as error:  # noqa: BLE001 - the parent raises it
        writer.send(SetupFailure.of(error))
    finally:
        if host:
            host.leave(whole=whole)


def _are_the_first(workers: Iterable[BaseProcess], count: int) -> bool:
    """Whether none has died yet: the pool replaces a dead worker by one with a higher number in its name."""
    return {birth_number(worker) for worker in workers} == set(range(1, count + 1))


def _become_host(reader: Connection) -> None:
    lead_group()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    reader.close()
    os.environ.update(ONE_THREAD)  # a fork server that somebody else has started does not know
