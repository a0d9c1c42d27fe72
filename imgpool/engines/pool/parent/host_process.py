"""The host of a pool as its parent sees it: started, listened to, and gone whatever happens."""

import atexit
import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.util import get_temp_dir
from typing import Self

from imgpool.core.engine import StartMethod
from imgpool.core.errors import WorkerError
from imgpool.engines.pool.host.host import PoolConfig, main
from imgpool.engines.pool.parent.prefork import take
from imgpool.engines.pool.protocol.claims import SETTING_UP, SLOTS, Claims
from imgpool.engines.pool.protocol.messages import Batch, ChunkResult, Command, PoolCrashed, SetupFailure, WorkerDied
from imgpool.system.processes import clean_start, exit_reason, kill_group, start

PARTING = 2.0  # seconds for a host to end by itself
HEARTBEAT = 0.1  # seconds
ATTEMPTS = 5  # to start a host from a fork server


class HostProcess:
    """A context in which a host works on an order; on leaving it, the host and all its workers are gone.

    Parameters
    ----------
    start_method
        How the host comes to be.
    """

    def __init__(self, order: PoolConfig, start_method: StartMethod) -> None:
        self._order = order
        self._start_method = start_method
        self._finished = False
        self._closed = False
        self._owner = os.getpid()

    def __enter__(self) -> Self:
        """Start the host.

        Raises
        ------
        WorkerError
            If the system lets no more processes start.
        """
        try:
            if not self._take_early():
                self._start()
        except (OSError, EOFError) as error:
            hint = "set TMPDIR to a shorter path" if "AF_UNIX" in str(error) else "use fewer workers (-j)"
            raise WorkerError(f"no worker process can be started: {error}", hint) from error
        atexit.register(self.close)  # runs before multiprocessing's own, which would wait for the host for ever
        return self

    def _take_early(self) -> bool:
        """Give the order to the host that waits for one; tell whether there is any."""
        early = take(self._order.rules.workers) if self._start_method == "forkserver" else None
        if early is None:
            return False
        self._process, self._connection, self._claims = early.process, early.connection, early.claims
        self.send(self._order)
        return True

    def _start(self) -> None:
        context = multiprocessing.get_context(self._start_method)
        parents_folder = None
        if self._start_method == "forkserver":
            context.set_forkserver_preload([main.__module__, *self._order.preload])
            parents_folder = get_temp_dir()
        self._claims = Claims(context, (SLOTS + 1) * self._order.rules.workers)
        self._connection, hosts_end = context.Pipe()
        arguments = (self._order, self._claims, self._connection, hosts_end, parents_folder)
        self._process = context.Process(target=main, args=arguments)  # type: ignore[attr-defined]
        with hosts_end:
            try:
                if self._start_method == "forkserver":
                    self._start_from_server()
                else:
                    self._start_once()
            except BaseException:  # a host that was started all the same ends when it finds nobody there
                self._connection.close()
                raise

    def _start_once(self) -> None:
        with clean_start(forked=self._start_method == "fork"):
            start(self._process, self._start_method)

    def _start_from_server(self) -> None:
        """Start the host, though a fork server may die: killed, or of what it was to import beforehand."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(OSError, EOFError):
                self._start_once()
                return
            multiprocessing.set_forkserver_preload([main.__module__])
            time.sleep(HEARTBEAT)  # one that is dying refuses to be asked before it is known to be dead
        self._start_once()

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: PoolConfig | Batch | Command) -> None:
        """Tell the host something; what it does not hear any more, for it is dead, `messages` will say."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def messages(self) -> Iterator[ChunkResult | WorkerDied | PoolCrashed | SetupFailure | None]:
        """Yield what the host tells, to the end; None now and then while it tells nothing."""
        while self._connection in (ready := wait([self._connection, self._process.sentinel], HEARTBEAT)) or not ready:
            if not ready:
                yield None
                continue
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                break
            if message is None:
                self._finished = True
                return
            yield message
        kill_group(self._process)
        self._process.join()
        in_hand = tuple(claim.index for claim in self._claims if claim.index != SETTING_UP)
        yield PoolCrashed(exit_reason(self._process.exitcode), in_hand)

    def close(self) -> None:
        """End the host and its workers: in good order if it has finished, else at once."""
        if self._closed or os.getpid() != self._owner:  # a fork of the parent leaves the host to the parent
            return
        try:
            if self._finished or self._start_method == "spawn":  # the locks of spawned workers have to be removed
                self._part()
        finally:
            kill_group(self._process)
            self._process.join()
            self._connection.close()
            self._process.close()
            self._closed = True
            atexit.unregister(self.close)

    def _part(self) -> None:
        """Give the host time to end by itself; what it still tells is read, for it may wait for that."""
        if not self._finished:
            self.send(Command.ABANDON)
        end = time.monotonic() + PARTING
        with contextlib.suppress(EOFError, OSError):
            while time.monotonic() < end and wait([self._connection, self._process.sentinel], HEARTBEAT) != [
                self._process.sentinel
            ]:
                if self._connection.poll():
                    self._connection.recv_bytes()
        self._process.join(max(0.0, end - time.monotonic()))
