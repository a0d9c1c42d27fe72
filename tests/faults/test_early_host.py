"""The host that is forked before it is known whether anybody needs it: it serves, and never stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support import engine_tasks as tasks

if sys.platform != "linux":
    pytest.skip("processes as Linux has them", allow_module_level=True)

SCRIPT = """
import multiprocessing, os, signal, sys, threading
sys.path.insert(0, {support!r})
from tests.support import engine_tasks as tasks
from imgpool.engines.pool.parent import prefork as prefork
from imgpool.engines.pool.parent.prefork import start_prefork_host
from imgpool.system.threads import set_one_thread_environment
from imgpool.engines.pool import POOL

set_one_thread_environment()
{before}
start_prefork_host({modules!r})
early = prefork._waiting and prefork._waiting.process.pid

def run(*verbs, **options):
    return list(POOL.run(tasks.tasks(*verbs), tasks.do, tasks.no_state, tasks.options(**options)))

{body}
"""
WAIT = """
import time
while not os.path.exists({mark!r}): time.sleep(0.01)
"""
WHO = "print({int(result.dtype) == early for result in run(*['parent'] * 4)})"


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


def said(process):
    stdout, stderr = process.communicate(timeout=60)
    assert stderr == ""
    return stdout


def until(condition):
    end = time.monotonic() + 60
    while not (seen := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def host_of(pid):
    """The child of a process that leads a session, once there is one."""
    children = psutil.Process(pid).children()
    return next((child for child in children if os.getsid(child.pid) == child.pid), None)


def library(folder, name, then=""):
    """A module that leaves a mark when it is imported, and does something then."""
    (folder / f"{name}.py").write_text(f"open({str(folder / name)!r}, 'w').close()\n{then}")


def test_the_workers_come_from_it_find_its_imports_and_use_one_thread(temporary, tmp_path, monkeypatch):
    library(tmp_path, "marking")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    body = WAIT.format(mark=f"{tmp_path}/marking")
    body += "print([result.dtype for result in run('parent', 'threads', 'modules marking', workers=1)], early)"
    results, early = said(start(body, ["marking"])).rsplit(maxsplit=1)
    assert results == f"['{early}', '1', 'True']"
    assert not list(temporary.iterdir())


def test_after_it_others_serve(temporary):
    body = f"{WHO}; {WHO}; print([result.status for result in run('sigkill-once {temporary}/mark', 'pass')])"
    assert said(start(body)) == "{True}\n{False}\n['done', 'done']\n"
    Path(temporary, "mark").unlink()
    assert not list(temporary.iterdir())


def test_it_is_replaced_when_it_dies_at_work(temporary):
    body = f"print(sorted(result.status for result in run('sigkill-once {temporary}/mark', 'pass', 'pass')))"
    assert said(start(body)) == "['done', 'done', 'done']\n"
    Path(temporary, "mark").unlink()


@pytest.mark.parametrize(
    "why",
    [
        "os.kill(early, signal.SIGKILL)",
        "os.kill(early, signal.SIGKILL); prefork._waiting.process.join()",
        "import dataclasses; prefork._waiting = dataclasses.replace(prefork._waiting, room=1)",
    ],
)
def test_one_that_cannot_serve_costs_no_task(temporary, why):
    assert said(start(f"{why}\n{WHO}")) == "{False}\n"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("source", ["raise ValueError('broken')", "import sys; sys.exit(3)", "import os; os._exit(3)"])
def test_what_cannot_be_imported_early_costs_no_task(temporary, tmp_path, monkeypatch, source):
    (tmp_path / "bad_library.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert said(start("print(len(run('pass', 'pass')))", ["bad_library"])) == "2\n"
    assert not list(temporary.iterdir())


@pytest.mark.usefixtures("temporary")
def test_it_imports_no_further_when_there_is_work(tmp_path, monkeypatch):
    library(tmp_path, "slow", "import time; time.sleep(0.5)")
    library(tmp_path, "next")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    body = WAIT.format(mark=f"{tmp_path}/slow") + "print([result.dtype for result in run('modules slow')])"
    assert said(start(body, ["slow", "next"])) == "['True']\n"
    assert not (tmp_path / "next").exists()


@pytest.mark.usefixtures("temporary")
def test_none_is_forked_from_a_process_with_threads():
    before = "wait = threading.Event(); threading.Thread(target=wait.wait).start()"
    assert said(start("wait.set(); print(early)", before=before)) == "None\n"


@pytest.mark.usefixtures("temporary")
def test_a_fork_of_the_parent_leaves_it_to_the_parent():
    body = """
child = os.fork()
if not child:
    print(prefork.take(1), flush=True)
    prefork._discard()
    os._exit(0)
os.waitpid(child, 0)
"""
    assert said(start(body + WHO)) == "None\n{True}\n"


@pytest.mark.parametrize("mark", ["first", "last"])
@pytest.mark.parametrize("group", [False, True])
def test_it_ends_with_a_parent_that_is_killed_before_it_has_run_anything(temporary, tmp_path, monkeypatch, mark, group):
    library(tmp_path, "first")
    library(tmp_path, "last")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start("import time; time.sleep(60)", ["first", "cv2", "last"])
    host = until(lambda: host_of(process.pid))
    until((tmp_path / mark).exists)
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: gone(host))
    until(lambda: not list(temporary.iterdir()))


COMMAND = """
import atexit, sys
from imgpool.cli import main
from imgpool.engines.pool.parent import prefork as prefork
atexit.register(lambda: print("early:", prefork._waiting is not None))
sys.argv = ["imgpool", "process", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("option", ["--serial", "--engine=serial", "-n", "--dry-run", "-h"])
def test_who_needs_no_workers_starts_none(temporary, option):
    command = [sys.executable, "-c", COMMAND, "nowhere", option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.stdout.splitlines()[-1] == "early: False"


@pytest.mark.parametrize("words", [["nowhere"], ["--unknown"], [], ["nowhere", "-f", "gausian"]])
def test_a_usage_error_leaves_nobody_and_says_nothing_odd(temporary, words):
    command = [sys.executable, "-m", "imgpool", "process", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "rror" in done.stderr or done.stderr.startswith("imgpool: ")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "terminated\n")])
def test_a_signal_while_it_starts_leaves_nobody_and_says_one_word(temporary, number, word):
    command = [sys.executable, "-m", "imgpool", "process", "nowhere"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=temporary)
    host = until(lambda: host_of(process.pid))
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (128 + number, word)
    until(lambda: gone(host))
    until(lambda: not list(temporary.iterdir()))
