"""Starts that never end: a library that hangs while it is loaded ends the run with a message."""

import importlib
import pickle
import time

import psutil
import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.engines.pool import POOL
from imgpool.engines.pool.parent import prefork
from imgpool.engines.pool.parent.prefork import start_prefork_host
from imgpool.system import isolated, start_limit
from imgpool.system.isolated import IsolatedError, call_isolated
from tests.support import engine_tasks as tasks

IDLE_TIMEOUT_S = 1.0

HANGS = {
    "in Python": "import time; time.sleep(60)",
    "in C, with the GIL": "import ctypes; ctypes.PyDLL(None).sleep(60)",
}


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch):
    monkeypatch.setattr(start_limit, "START_IDLE_TIMEOUT_S", IDLE_TIMEOUT_S)
    monkeypatch.setattr(isolated, "START_IDLE_TIMEOUT_S", IDLE_TIMEOUT_S)


@pytest.fixture(autouse=True)
def _no_process_stays_behind():
    before = set(psutil.Process().children(recursive=True))
    yield
    end = time.monotonic() + 5
    while left := set(filter(_is_alive, psutil.Process().children(recursive=True))) - before - set(own_servers()):
        assert time.monotonic() < end, left
        time.sleep(0.01)


def _is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # multiprocessing itself waits for a fork server that has died
    except psutil.NoSuchProcess:
        return False


def own_servers(*names):
    """Return the children of this process that multiprocessing keeps: fork server and resource tracker."""
    names = names or ("multiprocessing.forkserver", "multiprocessing.resource_tracker")
    return [child for child in psutil.Process().children() if any(name in _command(child) for name in names)]


def _command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return ""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Write a module and return its name; each test has one of its own, because a fork server keeps what it loads."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for the fork server

    def library(source):
        name = f"library_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        return name

    return library


def run(count=5, initializer=tasks.no_state, **options):
    verbs = [f"pass {'x' * 1000}{number}" for number in range(count)]
    return list(POOL.run(tasks.tasks(*verbs), tasks.do, initializer, tasks.options(**options)))


@pytest.mark.parametrize("hang", HANGS)
def test_host_that_hangs_in_an_import_ends_the_run(library, hang):
    name = library(HANGS[hang])
    with pytest.raises(WorkerError) as caught:
        run(500, preload=(name,), start_method="fork")  # more than a pipe holds: the parent waits for the host to read
    assert caught.value.message == (
        f"the worker processes could not be started: no activity for 1 s (last import: {name})"
    )
    assert "try again" in caught.value.hint


def test_prefork_host_that_hangs_in_an_import_ends_the_run(library):
    name = library(HANGS["in C, with the GIL"])
    start_prefork_host([name])
    while prefork._waiting.claims.imports.read() != name:
        time.sleep(0.01)
    with pytest.raises(WorkerError, match=rf"no activity for 1 s \(last import: {name}\)"):
        run(500, start_method="forkserver")


def test_fork_server_that_hangs_in_an_import_ends_the_run(library):
    for server in own_servers("multiprocessing.forkserver"):  # the next one preloads the library
        server.kill()
        while server.status() != psutil.STATUS_ZOMBIE:  # only multiprocessing may wait for its child
            time.sleep(0.01)
    with pytest.raises(WorkerError, match="no worker process can be started: no activity for 1 s while libraries"):
        run(preload=(library(HANGS["in C, with the GIL"]),), start_method="forkserver")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_that_hang_without_a_time_limit_end_the_run(method):
    with pytest.raises(WorkerError, match="could not be started: no activity for 1 s"):
        run(initializer=tasks.hang, start_method=method)


def test_start_that_takes_too_long_in_any_case_ends_the_run(monkeypatch):
    monkeypatch.setattr(start_limit, "START_TIMEOUT_S", 0.5)
    with pytest.raises(WorkerError, match=r"could not be started: not ready after 0\.5 s"):
        run(initializer=tasks.compute, start_method="fork")


def test_slow_start_that_makes_progress_is_not_ended():
    assert len(run(initializer=tasks.read_slowly, start_method="fork")) == 5


def test_long_first_task_is_not_a_start():
    [result] = POOL.run(tasks.tasks("sleep 1.5"), tasks.do, tasks.no_state, tasks.options(start_method="fork"))
    assert result.status == "done"


def test_isolated_function_that_hangs_is_ended(library):
    """As the preflight, which loads models."""
    name = library(HANGS["in C, with the GIL"])
    with pytest.raises(IsolatedError) as caught:
        call_isolated(pickle.loads, EngineOptions(preload=(name,)))
    assert caught.value.failure.message == f"no activity for 1 s (last import: {name})"


def test_isolated_function_has_a_time_limit_in_all():
    with pytest.raises(IsolatedError, match=r"not ready after 0\.5 s"):
        call_isolated(tasks.compute, EngineOptions(), total_timeout_s=0.5)
