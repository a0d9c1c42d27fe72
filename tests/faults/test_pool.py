"""Workers that die, hang or are killed: every task returns exactly one result, and no process stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from imgpool.core.errors import WorkerError
from imgpool.engines.pool import POOL
from tests.support import engine_tasks as tasks

METHODS = ["fork", "forkserver", "spawn"]
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(autouse=True)
def _no_process_stays_behind():
    yield
    assert gone(lambda: workers_of(psutil.Process()))


def workers_of(process):
    """Return the descendants of a process except multiprocessing's own two, which run until the end."""
    servers = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    descendants = process.children(recursive=True)
    return [child for child in descendants if not any(name in " ".join(_command(child)) for name in servers)]


def _command(process):
    # A host from the fork server has the server's command line, but only the server is a child of this process.
    try:
        return process.cmdline() if process.ppid() == os.getpid() else []
    except psutil.NoSuchProcess:
        return []


def gone(processes):
    """Return whether processes end within two seconds."""
    end = time.monotonic() + 2
    while left := [process for process in processes() if alive(process)]:
        if time.monotonic() > end:
            return not left
        time.sleep(0.02)
    return True


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(*verbs, initializer=tasks.no_state, **options):
    return POOL.run(tasks.tasks(*verbs), tasks.do, initializer, tasks.options(**options))


def run(*verbs, **options):
    results = {result.task.source: result for result in start(*verbs, **options)}
    assert sorted(results) == sorted(verbs)
    return results


def harmless(count):
    return [f"pass {number}" for number in range(count)]


@pytest.mark.parametrize(
    ("verb", "error", "method"),
    [
        ("sigkill", "SIGKILL", "fork"),
        ("sigkill", "SIGKILL", "forkserver"),
        ("sigkill", "SIGKILL", "spawn"),
        ("sigsegv", "SIGSEGV", "forkserver"),
        ("os-exit 3", "exit code 3", "forkserver"),
        ("os-exit 0", "exit code 0", "forkserver"),
    ],
)
def test_dying_worker_fails_only_its_own_task(verb, error, method):
    results = run(*harmless(5), verb, *[f"sleep 0.0{number}" for number in range(1, 9)], start_method=method)
    failed = results.pop(verb)
    assert (failed.failure.stage, failed.failure.error, failed.attempt) == ("worker", error, 2)
    assert {(result.status, result.attempt) for result in results.values()} == {("done", 1)}


@pytest.mark.parametrize("verb", ["sys-exit", "interrupt", "unpicklable x", "mute", "raise x"])
def test_exception_does_not_end_the_worker(verb):
    results = run(*harmless(3), verb, *[f"pass b{number}" for number in range(3)], workers=1, chunksize=7)
    assert len({result.pid for result in results.values()}) == 1
    assert results.pop(verb).status == "failed"
    assert {result.status for result in results.values()} == {"done"}


@pytest.mark.parametrize("retries", [0, 2])
def test_failed_attempts_are_retried_as_requested(retries):
    assert run("sigkill", *harmless(3), retries=retries)["sigkill"].attempt == retries + 1


def test_task_that_succeeds_on_the_second_attempt_is_done(tmp_path):
    results = run(f"sigkill-once {tmp_path}/a", *harmless(9), f"sigkill-once {tmp_path}/b", chunksize=4)
    for result in results.values():
        assert (result.status, result.attempt) == ("done", 2 if "once" in result.task.source else 1)


@every_method
def test_task_beyond_its_time_limit_is_ended(method):
    results = run("sleep 60", *harmless(20), timeout=0.6, retries=0, start_method=method)
    hung = results.pop("sleep 60")
    assert (hung.failure.stage, hung.failure.error, hung.attempt) == ("worker", "TimeoutError", 1)
    assert "0.6 s" in hung.failure.message
    assert {result.status for result in results.values()} == {"done"}


def test_task_that_hangs_once_is_done_on_the_second_attempt(tmp_path):
    hung = f"sleep-once {tmp_path}/mark"
    assert (run(hung, "pass", timeout=0.6)[hung].status, run("pass", timeout=0.6)["pass"].status) == ("done", "done")


def test_time_limit_applies_to_each_task_of_a_chunk():
    results = run(*[f"sleep 0.{number}" for number in range(30, 34)], timeout=1.0, chunksize=4, workers=1)
    assert {result.attempt for result in results.values()} == {1}


@every_method
def test_death_of_an_idle_worker_fails_no_task(method, tmp_path):
    results = start("pass", f"note-pid-and-sleep-once {tmp_path}", retries=0, start_method=method, chunksize=1)
    assert next(results).task.source == "pass"
    [busy] = tasks.noted(tmp_path, 1)
    [idle] = [worker for worker in busy.parent().children() if worker != busy]
    idle.kill()
    [second] = results
    assert (second.status, second.attempt) == ("done", 1)


def test_workers_killed_at_random_lose_no_task():
    verbs = [f"sleep 0.0{number:03}" for number in range(100, 250)]
    finished = []
    for number, result in enumerate(start(*verbs, workers=3, retries=10)):
        finished.append(result.task.source)
        if number % 40 == 7 and psutil.pid_exists(result.pid):
            os.kill(result.pid, signal.SIGKILL)
    assert sorted(finished) == sorted(verbs)


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_initializer_that_kills_its_process_ends_the_run(method):
    with pytest.raises(WorkerError, match=r"SIGBUS|while starting"):
        list(start(*harmless(5), initializer=tasks.die_at_once, start_method=method))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_initializer_that_hangs_ends_the_run(method):
    with pytest.raises(WorkerError, match="in time"):
        list(start(*harmless(5), initializer=tasks.hang, start_method=method, timeout=1.0))


@pytest.mark.parametrize("verb", ["kill-host", "kill-group"])
def test_task_that_kills_the_host_is_identified(verb):
    results = run(*harmless(40), verb, chunksize=1)
    assert results.pop(verb).failure.stage == "worker"
    assert {result.status for result in results.values()} == {"done"}


FORK_ONCE = """
import errno, itertools, os

fork, count = os.fork, itertools.count()

def fork_once_in_a_host():
    if os.getpid() == os.getsid(0) and next(count):
        raise OSError(errno.EAGAIN, "no more processes")
    return fork()

os.fork = fork_once_in_a_host
"""
"""When preloaded, this module lets a host fork only once, as a limit on the number of processes does."""

FORK_IN_FIRST_HOST = """
import errno, os

fork = os.fork

def fork_in_first_host():
    if os.getpid() == os.getsid(0) and is_later:
        raise OSError(errno.EAGAIN, "no more processes")
    return fork()

try:
    os.close(os.open({mark!r}, os.O_CREAT | os.O_EXCL))
    is_later = False
except FileExistsError:
    is_later = True
os.fork = fork_in_first_host
"""
"""When preloaded, this module lets only the first host fork."""


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_fewer_workers_continue_if_not_all_can_be_started(method, monkeypatch, tmp_path):
    (tmp_path / f"fork_once_{method}.py").write_text(FORK_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    warnings = []
    how = {"workers": 3, "preload": (f"fork_once_{method}",), "start_method": method, "on_warning": warnings.append}
    assert {(result.status, result.attempt) for result in run(*harmless(5), **how).values()} == {("done", 1)}
    assert len(warnings) == 1
    assert "continuing with 1 worker instead of 3" in warnings[0]


def test_without_workers_the_parent_runs_the_rest_but_no_suspect(monkeypatch, tmp_path):
    """The second host cannot fork: finished tasks are not repeated, and what killed a worker does not run here."""
    (tmp_path / "fork_in_first_host.py").write_text(FORK_IN_FIRST_HOST.format(mark=str(tmp_path / "mark")))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(os, "fork", os.fork)  # the parent imports the module too: afterwards, it may fork again
    warnings = []
    how = {"workers": 2, "preload": ("fork_in_first_host",), "start_method": "fork", "on_warning": warnings.append}
    results = run("sigkill", *(f"sleep 0.05{number:02}" for number in range(20)), chunksize=1, **how)
    assert results.pop("sigkill").failure.error == "SIGKILL"
    assert {(result.status, result.attempt) for result in results.values()} == {("done", 1)}
    assert len(results) == 20
    assert os.getpid() in {result.pid for result in results.values()}
    assert "continuing without workers" in warnings[-1]


def test_pool_that_must_not_shrink_is_refused(monkeypatch, tmp_path):
    (tmp_path / "fork_once_strictly.py").write_text(FORK_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    how = {"workers": 3, "preload": ("fork_once_strictly",), "start_method": "fork", "fewer_workers": False}
    with pytest.raises(WorkerError, match="limit of processes"):
        run(*harmless(5), **how)


def test_preloaded_module_that_fails_to_import_is_ignored(monkeypatch, tmp_path):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(run(*harmless(5), preload=("broken_library",))) == 5


def test_workers_ignore_ctrl_c():
    results = run("interrupt-from-terminal", *harmless(3))
    assert {(result.status, result.attempt) for result in results.values()} == {("done", 1)}


@every_method
def test_closing_the_run_ends_every_process(method):
    results = start("pass", *["sleep 60"] * 3, start_method=method)
    next(results)
    assert len(workers_of(psutil.Process())) >= 2
    results.close()
    assert gone(lambda: workers_of(psutil.Process()))


SCRIPT = """
import sys
sys.path.insert(0, "{support}")
from tests.support import engine_tasks as tasks
from imgpool.engines.pool import POOL

print("main runs")
def start(*verbs, **options):
    options = tasks.options(start_method={method!r}, **options)
    return POOL.run(tasks.tasks(*verbs), tasks.do, tasks.no_state, options)

{body}
"""


@pytest.fixture
def script(tmp_path):
    """Write a script without a guard, and start it."""

    def script(method, body):
        path = tmp_path / "unguarded.py"
        path.write_text(SCRIPT.format(support=Path(tasks.__file__).parents[2], method=method, body=body))
        command = [sys.executable, "-W", "error", str(path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return script


@every_method
def test_script_without_a_guard_runs_once(script, method):
    body = """
print(len(list(start(*["pass"] * 9))), "done")
print(len(list(start(*["pass"] * 8, "sigkill"))), "with a dead worker")
print(len(list(start(*["pass"] * 8, "sleep 60", timeout=0.6, retries=0))), "with a hanging task")
run = start("pass", "sleep 60")
next(run)
run.close()
left_open = start("pass", "sleep 60")
next(left_open)
"""
    process = script(method, body)
    assert process.communicate(timeout=30) == ("main runs\n9 done\n9 with a dead worker\n9 with a hanging task\n", "")
    assert process.returncode == 0


@every_method
def test_killed_host_fails_no_task(script, method):
    body = """
import psutil
results = start("pass", "sleep 0.5", "sleep 0.5", retries=0, chunksize=1)
worker = psutil.Process(next(results).pid)
worker.parent().kill()
print([(result.status, result.attempt) for result in results])
"""
    process = script(method, body)
    out, _ = process.communicate(timeout=30)  # the locks of a killed host are removed with a warning
    assert out == "main runs\n[('done', 1), ('done', 1)]\n"


@every_method
def test_ctrl_c_reaches_the_parent_and_leaves_no_process(script, method, tmp_path):
    body = f"try: list(start(*['note-pid-and-sleep {tmp_path}'] * 4))\nexcept KeyboardInterrupt: print('interrupted')"
    process = script(method, body)
    workers = tasks.noted(tmp_path, 2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("main runs\ninterrupted\n", "")
    assert gone(lambda: workers)


@every_method
@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.3])
def test_ctrl_c_during_start_up_leaves_no_process(script, method, seconds):
    body = f"""
import signal
signal.setitimer(signal.ITIMER_REAL, {seconds})
signal.signal(signal.SIGALRM, signal.default_int_handler)
try: list(start(*["sleep 60"] * 4))
except KeyboardInterrupt: print("interrupted")
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(list(start(*["pass"] * 4))), "afterwards")
"""
    process = script(method, body)
    out, errors = process.communicate(timeout=30)
    assert out == "main runs\ninterrupted\n4 afterwards\n", errors


@pytest.fixture
def short_folder():
    """A folder whose path is short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def test_warning_of_a_long_tmpdir_names_the_remedy(script, tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    process = script("forkserver", 'print(len(list(start("pass", on_warning=print))))')
    out = process.communicate(timeout=30)[0]
    assert "set TMPDIR to a shorter path" in out
    assert out.endswith("1\n")


@every_method
def test_killed_parent_leaves_no_process_and_no_file(script, method, tmp_path, short_folder, monkeypatch):
    temporary = short_folder
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = script(method, f"list(start(*['note-pid-and-sleep {tmp_path}'] * 4))")
    workers = tasks.noted(tmp_path, 2)
    family = [*workers, *psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.wait()
    assert gone(lambda: family)
    assert not list(temporary.iterdir())
    process.communicate()


@every_method
def test_workers_that_hang_in_c_end_with_parent_and_host(script, method, tmp_path):
    process = script(method, f"list(start(*['note-pid-and-hold-lock {tmp_path}'] * 4))")
    workers = tasks.noted(tmp_path, 2)
    host = workers[0].parent()
    for each in (host, process):
        each.kill()
    process.communicate()
    assert gone(lambda: workers)
