"""Host process, seen from its parent: start it, exchange messages with it, and end it whatever happens."""

import atexit
import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Self

from imgpool.core.engine import StartMethod
from imgpool.engines.pool.host.main import main
from imgpool.engines.pool.parent.prefork import take_prefork_host
from imgpool.engines.pool.protocol.claims import SETUP, SLOTS_PER_WORKER, Claims
from imgpool.engines.pool.protocol.config import PoolConfig
from imgpool.engines.pool.protocol.messages import Batch, ChunkResult, Command, PoolCrashed, WorkerDied
from imgpool.engines.shared.errors import SetupFailure
from imgpool.system.processes import clean_start, exit_reason, kill_group, start
from imgpool.system.start_errors import explain_start_error
from imgpool.system.start_limit import START_HINT, StartMonitor, describe_start
from imgpool.system.temporary import marked_socket_folder

POLL_INTERVAL_S = 0.1
HOST_EXIT_TIMEOUT_S = 2.0
FORK_SERVER_START_ATTEMPTS = 5
FORK_SERVER_MODULE = "imgpool.system.fork_server"


class HostProcess:
    """Context manager with a running host; when it exits, the host and all its workers are gone.

    Parameters
    ----------
    config
        Configuration of the host.
    start_method
        How the host is started.
    """

    def __init__(self, config: PoolConfig, start_method: StartMethod) -> None:
        self._config = config
        self._start_method = start_method
        self._finished = False
        self._closed = False
        self._owner = os.getpid()
        self._start_monitor = StartMonitor(self._pids, self._kill, lambda: self._claims.any_task_started)

    def __enter__(self) -> Self:
        """Start the host.

        Raises
        ------
        StartError
            If the system cannot start a process.
        """
        try:
            if not self._use_prefork_host():
                self._start()
        except (OSError, EOFError, MemoryError, RuntimeError) as error:
            if explain_start_error(error) is None:
                raise
            raise SetupFailure.from_start_error(error).as_error() from error
        atexit.register(self.close)  # runs before multiprocessing's own handler, which would wait for the host forever
        self._start_monitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: PoolConfig | Batch | Command) -> None:
        """Send a message. If the host is dead, the message is dropped and `messages` reports the death."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def messages(self) -> Iterator[ChunkResult | WorkerDied | PoolCrashed | SetupFailure | None]:
        """Yield the host's messages until it ends, and None now and then while there is none.

        If neither the host nor its workers make progress before the first task, or they take too long, they are killed
        and the last message says so.
        """
        while True:
            ready = wait([self._connection, self._process.sentinel], POLL_INTERVAL_S)
            if not ready:
                yield None
                continue
            if self._connection not in ready:  # the host is dead, and all its messages have been read
                break
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                break
            if self._start_monitor.is_active:
                self._start_monitor.stop()
            if message is None:
                self._finished = True
                return
            yield message
        yield self._start_failure() or self._crash()

    def close(self) -> None:
        """End the host and its workers: in an orderly way if it has finished, otherwise at once."""
        if self._closed or os.getpid() != self._owner:  # a fork of the parent must not end the parent's host
            return
        self._start_monitor.stop()
        try:
            if self._finished or self._start_method == "spawn":  # spawned workers have semaphores to be removed
                self._await_exit()
        finally:
            kill_group(self._process)
            self._process.join()
            self._connection.close()
            self._process.close()
            self._closed = True
            atexit.unregister(self.close)

    def _use_prefork_host(self) -> bool:
        """Send the configuration to the prefork host; return False if there is none."""
        if self._start_method != "forkserver":
            return False
        prefork = take_prefork_host(self._config.worker.workers)
        if prefork is None:
            return False
        self._process, self._connection, self._claims = prefork.process, prefork.connection, prefork.claims
        self.send(self._config)
        return True

    def _start(self) -> None:
        context = multiprocessing.get_context(self._start_method)
        socket_folder = None
        if self._start_method == "forkserver":
            context.set_forkserver_preload([FORK_SERVER_MODULE, main.__module__, *self._config.preload])
            socket_folder = marked_socket_folder()
        self._claims = Claims(context, (SLOTS_PER_WORKER + 1) * self._config.worker.workers)
        self._connection, hosts_end = context.Pipe()
        arguments = (self._config, self._claims, self._connection, hosts_end, socket_folder)
        self._process = context.Process(target=main, args=arguments)  # type: ignore[attr-defined]
        with hosts_end:
            try:
                if self._start_method == "forkserver":
                    self._start_from_server()
                else:
                    self._start_once()
            except BaseException:  # if the host has started nevertheless, it ends when it finds the connection closed
                self._connection.close()
                raise

    def _start_once(self) -> None:
        with clean_start(forked=self._start_method == "fork"):
            start(self._process, self._start_method)

    def _start_from_server(self) -> None:
        """Start the host even if a fork server dies: because it was killed, or because a module it preloads crashes."""
        for _ in range(FORK_SERVER_START_ATTEMPTS - 1):
            with contextlib.suppress(OSError, EOFError):
                self._start_once()
                return
            multiprocessing.set_forkserver_preload([FORK_SERVER_MODULE, main.__module__])
            time.sleep(POLL_INTERVAL_S)  # a dying server refuses connections before it is known to be dead
        self._start_once()

    def _pids(self) -> tuple[int, ...]:
        return (self._process.pid,) if self._process.pid else ()

    def _kill(self) -> None:
        kill_group(self._process)

    def _start_failure(self) -> SetupFailure | None:
        """Return why the start was ended; None if it was not."""
        self._start_monitor.stop()
        if not self._start_monitor.reason:
            return None
        reason = describe_start(self._start_monitor.reason, self._claims.imports.read())
        return SetupFailure(f"the worker processes could not be started: {reason}", START_HINT, "")

    def _crash(self) -> PoolCrashed:
        """End what is left of a host that has died, and return what its workers were working on."""
        kill_group(self._process)
        self._process.join()
        indices = tuple(claim.index for claim in self._claims if claim.index != SETUP)
        return PoolCrashed(exit_reason(self._process.exitcode), indices)

    def _await_exit(self) -> None:
        """Give the host time to exit by itself, and read what it still sends: it may be waiting for that."""
        if not self._finished:
            self.send(Command.ABANDON)
        end = time.monotonic() + HOST_EXIT_TIMEOUT_S
        with contextlib.suppress(EOFError, OSError):
            while time.monotonic() < end and wait([self._connection, self._process.sentinel], POLL_INTERVAL_S) != [
                self._process.sentinel
            ]:
                if self._connection.poll():
                    self._connection.recv_bytes()
        self._process.join(max(0.0, end - time.monotonic()))
