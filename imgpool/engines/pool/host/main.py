"""Entry points of the host process."""

import itertools
import multiprocessing
import os
import pickle
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection

from imgpool.engines.pool.host.host import PARENT_EXIT_TIMEOUT_S, Host
from imgpool.engines.pool.protocol.claims import Claims
from imgpool.engines.pool.protocol.config import EarlyCall, PoolConfig
from imgpool.engines.shared.errors import SetupFailure
from imgpool.system.child_process import (
    become_group_leader,
    import_modules,
    kill_own_group,
    on_parent_exit,
    parent_exits,
)
from imgpool.system.gc_control import resume_gc
from imgpool.system.memory_limit import memory_limited
from imgpool.system.parent_death import killed_with_parent
from imgpool.system.processes import wait_until_gone


def main(
    config: PoolConfig, claims: Claims, parents_end: Connection, connection: Connection, socket_folder: str | None
) -> None:
    """Serve as host, for a configuration that is known.

    Parameters
    ----------
    claims
        Of the workers. The parent sees them too, in case this process dies.
    parents_end
        The parent's end of the connection, closed here: writing must fail once the parent has closed its own.
    connection
        To read tasks from, and to write results, deaths and, at the end, None to.
    socket_folder
        Where the parent keeps its sockets. A parent that is killed cannot remove it.
    """
    become_group_leader([parents_end])
    claims.imports.follow_imports()
    _serve(config, claims, connection, socket_folder)


def main_prefork(
    modules: Sequence[str], claims: Claims, parents_end: Connection, connection: Connection, socket_folder: str
) -> None:
    """Import `modules` until the configuration or an early call arrives, then serve as `main` does."""
    become_group_leader([parents_end])
    claims.imports.follow_imports()
    import_modules(itertools.takewhile(lambda _: not connection.poll(), modules))
    resume_gc()
    try:
        while isinstance(message := connection.recv(), EarlyCall):
            _answer(message, connection)
    except (EOFError, OSError):
        _end_with_parent(socket_folder)
        return
    _serve(message, claims, connection, socket_folder)


def _answer(call: EarlyCall, connection: Connection) -> None:
    """Call a function that sends messages to the parent; end this process if it raises."""
    connection.send(call)
    payload = connection.recv_bytes()
    try:
        with killed_with_parent(), memory_limited(call.memory):
            pickle.loads(payload)(connection.send)  # noqa: S301 - pickled by our own parent process
    except BaseException:  # noqa: BLE001 - the parent starts another host
        os._exit(1)
    connection.send(None)


def _serve(config: PoolConfig, claims: Claims, connection: Connection, socket_folder: str | None) -> None:
    host, intact = None, False
    try:
        import_modules(config.preload)
        host = Host(config, connection, claims)
        # Threads start only now: workers are forked from a process with one thread.
        on_parent_exit(partial(_kill_group_after_parent, socket_folder))
        threading.Thread(target=host.receive, name="receive from parent", daemon=True).start()
        intact = host.serve()
        connection.send(None)
    except ConnectionError:  # the parent does not read any more
        _end_with_parent(socket_folder)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        connection.send(SetupFailure.from_start_error(error))
    finally:
        if host:
            host.shut_down(intact=intact)


def _end_with_parent(socket_folder: str | None) -> None:
    """End the whole group if the parent ends now; return if it only closed the connection."""
    if parent_exits(PARENT_EXIT_TIMEOUT_S):
        _kill_group_after_parent(socket_folder)


def _kill_group_after_parent(socket_folder: str | None) -> None:
    """End this process and all workers, and remove the parent's sockets if it is really gone."""
    parent = multiprocessing.parent_process()
    if socket_folder and parent and wait_until_gone(parent.pid or 0, PARENT_EXIT_TIMEOUT_S):
        shutil.rmtree(socket_folder, ignore_errors=True)
    kill_own_group()
