"""The prefork host, forked before it is known whether it is needed: it serves, and never stays behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import engine_tasks as tasks

if sys.platform != "linux":
    pytest.skip("needs Linux processes", allow_module_level=True)

SCRIPT = """
import multiprocessing, os, signal, sys, threading
sys.path.insert(0, {support!r})
from tests.support import engine_tasks as tasks
from imgpool.engines.pool.parent import prefork
from imgpool.engines.pool.parent.prefork import start_prefork_host
from imgpool.system.threads import set_one_thread_environment
from imgpool.engines.pool import POOL

set_one_thread_environment()
{before}
start_prefork_host({modules!r})
prefork_pid = prefork._waiting and prefork._waiting.process.pid

def run(*verbs, **options):
    return list(POOL.run(tasks.tasks(*verbs), tasks.do, tasks.no_state, tasks.options(**options)))

{body}
"""
WAIT_FOR_FILE = """
import time
while not os.path.exists({mark!r}): time.sleep(0.01)
"""
PRINT_HOSTS = "print({int(result.dtype) == prefork_pid for result in run(*['parent'] * 4)})"


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    folder = Path("/tmp", tmp_path_factory.mktemp("t").name + str(os.getpid()))  # short enough for sockets in it
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    folder.rmdir()  # nothing is left in it


def start(body, modules=("cv2",), before=""):
    support = str(Path(tasks.__file__).parents[2])
    program = SCRIPT.format(support=support, modules=tuple(modules), before=before, body=body)
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def output_of(process):
    stdout, stderr = process.communicate(timeout=60)
    assert stderr == ""
    return stdout


def wait_for(condition):
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def host_of(pid):
    """Return the child of a process that leads a session, or None while there is none."""
    children = psutil.Process(pid).children()
    return next((child for child in children if os.getsid(child.pid) == child.pid), None)


def library(folder, name, then=""):
    """Write a module that creates a file when it is imported, and then runs `then`."""
    (folder / f"{name}.py").write_text(f"open({str(folder / name)!r}, 'w').close()\n{then}")


def test_workers_are_forked_from_it_with_its_imports(temporary, tmp_path, monkeypatch):
    library(tmp_path, "marking")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    body = WAIT_FOR_FILE.format(mark=f"{tmp_path}/marking")
    body += "print([result.dtype for result in run('parent', 'threads', 'modules marking', workers=1)], prefork_pid)"
    results, prefork_pid = output_of(start(body, ["marking"])).rsplit(maxsplit=1)
    assert results == f"['{prefork_pid}', '1', 'True']"
    assert not list(temporary.iterdir())


def test_later_runs_use_other_hosts(temporary):
    interrupted = f"run('sigkill-once {temporary}/mark', 'pass')"
    body = f"{PRINT_HOSTS}; {PRINT_HOSTS}; print([result.status for result in {interrupted}])"
    assert output_of(start(body)) == "{True}\n{False}\n['done', 'done']\n"
    Path(temporary, "mark").unlink()
    assert not list(temporary.iterdir())


def test_host_that_dies_at_work_is_replaced(temporary):
    body = f"print(sorted(result.status for result in run('sigkill-once {temporary}/mark', 'pass', 'pass')))"
    assert output_of(start(body)) == "['done', 'done', 'done']\n"
    Path(temporary, "mark").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        "os.kill(prefork_pid, signal.SIGKILL)",
        "os.kill(prefork_pid, signal.SIGKILL); prefork._waiting.process.join()",
        "import dataclasses; prefork._waiting = dataclasses.replace(prefork._waiting, capacity=1)",
    ],
)
def test_host_that_cannot_serve_costs_no_task(temporary, damage):
    assert output_of(start(f"{damage}\n{PRINT_HOSTS}")) == "{False}\n"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("source", ["raise ValueError('broken')", "import sys; sys.exit(3)", "import os; os._exit(3)"])
def test_module_that_cannot_be_imported_costs_no_task(temporary, tmp_path, monkeypatch, source):
    (tmp_path / "bad_library.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert output_of(start("print(len(run('pass', 'pass')))", ["bad_library"])) == "2\n"
    assert not list(temporary.iterdir())


@pytest.mark.usefixtures("temporary")
def test_imports_end_when_there_is_work(tmp_path, monkeypatch):
    library(tmp_path, "slow", "import time; time.sleep(0.5)")
    library(tmp_path, "next")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    body = WAIT_FOR_FILE.format(mark=f"{tmp_path}/slow") + "print([result.dtype for result in run('modules slow')])"
    assert output_of(start(body, ["slow", "next"])) == "['True']\n"
    assert not (tmp_path / "next").exists()


@pytest.mark.usefixtures("temporary")
def test_process_with_threads_is_not_forked():
    before = "wait = threading.Event(); threading.Thread(target=wait.wait).start()"
    assert output_of(start("wait.set(); print(prefork_pid)", before=before)) == "None\n"


@pytest.mark.usefixtures("temporary")
def test_fork_of_the_parent_leaves_the_host_alone():
    body = """
child = os.fork()
if not child:
    print(prefork.take_prefork_host(1), flush=True)
    prefork.discard_prefork_host()
    os._exit(0)
os.waitpid(child, 0)
"""
    assert output_of(start(body + PRINT_HOSTS)) == "None\n{True}\n"


@pytest.mark.parametrize("mark", ["first", "last"])
@pytest.mark.parametrize("group", [False, True])
def test_host_ends_with_a_parent_that_is_killed_early(temporary, tmp_path, monkeypatch, mark, group):
    library(tmp_path, "first")
    library(tmp_path, "last")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start("import time; time.sleep(60)", ["first", "cv2", "last"])
    host = wait_for(lambda: host_of(process.pid))
    wait_for((tmp_path / mark).exists)
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: gone(host))
    wait_for(lambda: not list(temporary.iterdir()))


COMMAND = """
import atexit, sys
from imgpool.cli import main
from imgpool.engines.pool.parent import prefork
atexit.register(lambda: print("prefork:", prefork._waiting is not None))
sys.argv = ["imgpool", "process", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("option", ["--serial", "--engine=serial", "-n", "--dry-run", "-h"])
def test_command_without_workers_starts_no_host(temporary, option):
    command = [sys.executable, "-c", COMMAND, "nowhere", option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.stdout.splitlines()[-1] == "prefork: False"


@pytest.mark.parametrize("words", [["nowhere"], ["--unknown"], [], ["nowhere", "-f", "gausian"]])
def test_usage_error_leaves_no_process_and_no_traceback(temporary, words):
    command = [sys.executable, "-m", "imgpool", "process", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "rror" in done.stderr or done.stderr.startswith("imgpool: ")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "terminated\n")])
def test_signal_during_start_up_leaves_no_process(temporary, number, word):
    command = [sys.executable, "-m", "imgpool", "process", "nowhere"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=temporary)
    host = wait_for(lambda: host_of(process.pid))
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (128 + number, word)
    wait_for(lambda: gone(host))
    wait_for(lambda: not list(temporary.iterdir()))


CALL = """
messages = []
def call(function, should_stop=lambda: False):
    return prefork.call_prefork_host(function, 1 << 30, messages.append, should_stop)
"""


def test_early_call_is_answered_by_the_host_of_the_run(temporary):
    body = f"{CALL}\nprint(call(tasks.send_numbers), call(tasks.send_numbers), messages)\n{PRINT_HOSTS}"
    assert output_of(start(body)) == "True True [0, 1, 2, 0, 1, 2]\n{True}\n"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("function", ["int", "tasks.allocate_much"])
def test_early_call_that_raises_costs_only_the_host(temporary, function):
    body = f"{CALL}\nprint(call({function}), messages, call(tasks.send_numbers))\n{PRINT_HOSTS}"
    assert output_of(start(body)) == "False [] None\n{False}\n"
    assert not list(temporary.iterdir())


def test_early_call_is_stopped_with_the_host(temporary):
    body = f"{CALL}\nprint(call(tasks.wait_after_a_message, lambda: messages))\n{PRINT_HOSTS}"
    assert output_of(start(body)) == "False\n{False}\n"
    assert not list(temporary.iterdir())


def test_large_early_call_is_stopped_while_the_host_hangs(temporary, tmp_path):
    """The parent must not send more than a connection takes in before the host reads."""
    (tmp_path / "never_imported.py").write_text("import time\nopen(__file__ + '.begun', 'w').close()\ntime.sleep(1000)")
    before = f"sys.path.insert(0, {str(tmp_path)!r})"
    wait = WAIT_FOR_FILE.format(mark=str(tmp_path / "never_imported.py.begun"))
    large = "functools.partial(max, bytes(10_000_000))"
    body = f"import functools\n{CALL}\n{wait}\nprint(call({large}, lambda: True), messages)\n{PRINT_HOSTS}"
    assert output_of(start(body, ["never_imported"], before)) == "False []\n{False}\n"
    assert not list(temporary.iterdir())


def test_host_ends_with_its_parent_during_an_early_call(temporary, tmp_path):
    mark = tmp_path / "mark"
    stop = f"lambda: messages and open({str(mark)!r}, 'w').close()"
    process = start(f"{CALL}\ncall(tasks.wait_after_a_message, {stop})")
    wait_for(mark.exists)
    host = wait_for(lambda: host_of(process.pid))
    process.kill()
    process.communicate()
    wait_for(lambda: gone(host))
    for folder in temporary.iterdir():  # the kernel killed the host: the next run removes the folder for sockets
        shutil.rmtree(folder)
