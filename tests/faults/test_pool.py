"""Workers that die, hang, and are killed: every task is answered exactly once, and nobody stays behind."""

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
def _nobody_stays_behind():
    yield
    assert gone(lambda: workers_of(psutil.Process()))


def workers_of(process):
    """All processes below this one but multiprocessing's own two, which serve until the end."""
    servants = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    below = process.children(recursive=True)
    return [child for child in below if not any(name in " ".join(_command(child)) for name in servants)]


def _command(process):
    # A host from the fork server has its command line; only the server itself is this process's child.
    try:
        return process.cmdline() if process.ppid() == os.getpid() else []
    except psutil.NoSuchProcess:
        return []


def gone(processes):
    """Whether they end within two seconds."""
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


def innocents(count):
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
def test_a_dying_worker_costs_only_its_own_task(verb, error, method):
    results = run(*innocents(5), verb, *[f"sleep 0.0{number}" for number in range(1, 9)], start_method=method)
    culprit = results.pop(verb)
    assert (culprit.failure.stage, culprit.failure.error, culprit.attempt) == ("worker", error, 2)
    assert {(result.status, result.attempt) for result in results.values()} == {("done", 1)}


@pytest.mark.parametrize("verb", ["sys-exit", "interrupt", "unpicklable x", "mute", "raise x"])
def test_a_raising_task_does_not_cost_its_worker(verb):
    results = run(*innocents(3), verb, *[f"pass b{number}" for number in range(3)], workers=1, chunksize=7)
    assert len({result.pid for result in results.values()}) == 1
    assert results.pop(verb).status == "failed"
    assert {result.status for result in results.values()} == {"done"}


@pytest.mark.parametrize("retries", [0, 2])
def test_a_culprit_is_tried_again_as_often_as_is_asked(retries):
    assert run("sigkill", *innocents(3), retries=retries)["sigkill"].attempt == retries + 1


def test_what_goes_well_the_second_time_is_done(tmp_path):
    results = run(f"sigkill-once {tmp_path}/a", *innocents(9), f"sigkill-once {tmp_path}/b", chunksize=4)
    for result in results.values():
        assert (result.status, result.attempt) == ("done", 2 if "once" in result.task.source else 1)


@every_method
def test_a_task_over_its_time_is_ended(method):
    results = run("sleep 60", *innocents(20), timeout=0.6, retries=0, start_method=method)
    hung = results.pop("sleep 60")
    assert (hung.failure.stage, hung.failure.error, hung.attempt) == ("worker", "TimeoutError", 1)
    assert "0.6 s" in hung.failure.message
    assert {result.status for result in results.values()} == {"done"}


def test_a_task_that_hung_once_is_done_the_second_time(tmp_path):
    hung = f"sleep-once {tmp_path}/mark"
    assert (run(hung, "pass", timeout=0.6)[hung].status, run("pass", timeout=0.6)["pass"].status) == ("done", "done")


def test_time_counts_for_each_task_of_a_chunk_alone():
    results = run(*[f"sleep 0.{number}" for number in range(30, 34)], timeout=1.0, chunksize=4, workers=1)
    assert {result.attempt for result in results.values()} == {1}


@every_method
def test_a_worker_killed_while_idle_costs_nobody(method, tmp_path):
    results = start("pass", f"note-pid-and-sleep-once {tmp_path}", retries=0, start_method=method, chunksize=1)
    assert next(results).task.source == "pass"
    [busy] = tasks.noted(tmp_path, 1)
    [idle] = [worker for worker in busy.parent().children() if worker != busy]
    idle.kill()
    [second] = results
    assert (second.status, second.attempt) == ("done", 1)


def test_workers_killed_at_random_lose_nothing():
    verbs = [f"sleep 0.0{number:03}" for number in range(100, 250)]
    answered = []
    for number, result in enumerate(start(*verbs, workers=3, retries=10)):
        answered.append(result.task.source)
        if number % 40 == 7 and psutil.pid_exists(result.pid):
            os.kill(result.pid, signal.SIGKILL)
    assert sorted(answered) == sorted(verbs)


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_an_initializer_that_kills_its_process_ends_the_run(method):
    with pytest.raises(WorkerError, match=r"SIGBUS|while starting"):
        list(start(*innocents(5), initializer=tasks.die_at_once, start_method=method))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_an_initializer_that_hangs_ends_the_run(method):
    with pytest.raises(WorkerError, match="in time"):
        list(start(*innocents(5), initializer=tasks.hang, start_method=method, timeout=1.0))


@pytest.mark.parametrize("verb", ["kill-host", "kill-group"])
def test_a_task_that_kills_the_host_is_found_out(verb):
    results = run(*innocents(40), verb, chunksize=1)
    assert results.pop(verb).failure.stage == "worker"
    assert {result.status for result in results.values()} == {"done"}


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_second_worker_that_cannot_be_started_is_told(method, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(tasks.__file__).parent))
    with pytest.raises(WorkerError, match="no more processes"):
        list(start(*innocents(5), workers=3, preload=("tests.support.few_forks",), start_method=method))


def test_a_module_that_fails_to_be_imported_beforehand_costs_nothing(monkeypatch, tmp_path):
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(run(*innocents(5), preload=("broken_library",))) == 5


def test_a_signal_from_the_terminal_is_not_for_workers():
    results = run("interrupt-from-terminal", *innocents(3))
    assert {(result.status, result.attempt) for result in results.values()} == {("done", 1)}


@every_method
def test_closing_early_ends_every_process_at_once(method):
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
def test_a_script_without_a_guard_runs_once_and_ends_without_noise(script, method):
    body = """
print(len(list(start(*["pass"] * 9))), "go well")
print(len(list(start(*["pass"] * 8, "sigkill"))), "with a death")
print(len(list(start(*["pass"] * 8, "sleep 60", timeout=0.6, retries=0))), "with one that hangs")
run = start("pass", "sleep 60")
next(run)
run.close()
left_open = start("pass", "sleep 60")
next(left_open)
"""
    process = script(method, body)
    assert process.communicate(timeout=30) == ("main runs\n9 go well\n9 with a death\n9 with one that hangs\n", "")
    assert process.returncode == 0


@every_method
def test_a_killed_host_costs_nobody(script, method):
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
def test_ctrl_c_is_the_parents_and_leaves_nobody(script, method, tmp_path):
    body = f"try: list(start(*['note-pid-and-sleep {tmp_path}'] * 4))\nexcept KeyboardInterrupt: print('interrupted')"
    process = script(method, body)
    workers = tasks.noted(tmp_path, 2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("main runs\ninterrupted\n", "")
    assert gone(lambda: workers)


@every_method
@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.3])
def test_ctrl_c_at_the_start_leaves_nobody(script, method, seconds):
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
    """A folder with a name short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_temporary_folder_that_is_too_deep_is_told_with_the_remedy(script, tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    process = script("forkserver", 'try: list(start("pass"))\nexcept Exception as error: print(error)')
    assert "set TMPDIR to a shorter path" in process.communicate(timeout=30)[0]


@every_method
def test_a_killed_parent_leaves_nobody_and_nothing(script, method, tmp_path, short_folder, monkeypatch):
    temporary = short_folder
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = script(method, f"list(start(*['note-pid-and-sleep {tmp_path}'] * 4))")
    workers = tasks.noted(tmp_path, 2)
    everybody = [*workers, *psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.wait()
    assert gone(lambda: everybody)
    assert not list(temporary.iterdir())
    process.communicate()


@every_method
def test_workers_that_hang_in_c_end_with_the_parent_and_the_host(script, method, tmp_path):
    process = script(method, f"list(start(*['note-pid-and-hold-lock {tmp_path}'] * 4))")
    workers = tasks.noted(tmp_path, 2)
    host = workers[0].parent()
    for each in (host, process):
        each.kill()
    process.communicate()
    assert gone(lambda: workers)
