"""The host of a pool as its parent sees it: started, listened to, and gone whatever happens."""

import atexit
import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.util import get_temp_dir
from typing import Self

from imgpool.core.engine import StartMethod
from imgpool.core.errors import WorkerError
from imgpool.engines._host import Order, main
from imgpool.engines._messages import Answers, Batch, Command, Death, SetupFailure
from imgpool.engines._processes import clean_start, exit_reason, kill_group, start

PARTING = 2.0  # seconds for a host to end by itself
HEARTBEAT = 0.1  # seconds


class HostProcess:
    """A context in which a host works on an order; on leaving it, the host and all its workers are gone.

    Parameters
    ----------
    start_method
        How the host comes to be.
    """

    def __init__(self, order: Order, start_method: StartMethod) -> None:
        context = multiprocessing.get_context(start_method)
        if start_method == "forkserver":
            context.set_forkserver_preload([main.__module__, *order.preload])
        self._start_method = start_method
        self._orderly = start_method == "spawn"  # the locks of spawned workers must be removed by the host
        self._forked = start_method == "fork"
        self._finished = False
        self._closed = False
        self._owner = os.getpid()
        self._connection, self._hosts_end = context.Pipe()
        parents_folder = get_temp_dir() if start_method == "forkserver" else None
        arguments = (order, self._connection, self._hosts_end, parents_folder)
        self._process = context.Process(target=main, args=arguments)  # type: ignore[attr-defined]

    def __enter__(self) -> Self:
        """Start the host.

        Raises
        ------
        WorkerError
            If the system lets no more processes start.
        """
        try:
            with clean_start(forked=self._forked), self._hosts_end:
                start(self._process, self._start_method)
        except (OSError, EOFError) as error:  # EOFError: the fork server has died
            self._connection.close()
            raise WorkerError(f"no worker process can be started: {error}", "use fewer workers (-j)") from error
        atexit.register(self.close)  # runs before multiprocessing's own, which would wait for the host for ever
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: Batch | Command) -> None:
        """Tell the host something; what it does not hear any more, for it is dead, `messages` will say."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def messages(self) -> Iterator[Answers | Death | SetupFailure | None]:
        """Yield what the host tells, to the end; None now and then while it tells nothing.

        If the host dies without a word, its own death is the last message.
        """
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
        yield Death(exit_reason(self._process.exitcode), None)

    def close(self) -> None:
        """End the host and its workers: in good order if it has finished, else at once."""
        if self._closed or os.getpid() != self._owner:  # a fork of the parent leaves the host to the parent
            return
        try:
            if self._orderly and not self._finished:
                self.send(Command.ABANDON)
            if self._orderly or self._finished:
                self._process.join(PARTING)
        finally:
            kill_group(self._process)
            self._process.join()
            self._connection.close()
            self._process.close()
            self._closed = True
            atexit.unregister(self.close)
