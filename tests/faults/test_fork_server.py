"""The fork server that is started before it is known whether anybody needs it: it serves, and never stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import engine_tasks as tasks
import psutil
import pytest

if sys.platform != "linux":
    pytest.skip("processes as Linux has them", allow_module_level=True)

SCRIPT = """
import sys
sys.path.insert(0, {support!r})
import engine_tasks as tasks
from imgpool.engines._fork_server import prepare
from imgpool.engines.pool import POOL

prepare({preload!r})
{body}
"""
RUN = """
results = list(POOL.run(tasks.tasks({verb!r}, "pass"), tasks.do, tasks.no_state, tasks.options()))
print(sorted(result.dtype or result.status for result in results))
"""


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    folder = Path("/tmp", tmp_path_factory.mktemp("t").name + str(os.getpid()))  # short enough for sockets in it
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    folder.rmdir()  # nothing is left in it


def start(body, preload=("cv2",)):
    program = SCRIPT.format(support=str(Path(tasks.__file__).parent), preload=tuple(preload), body=body)
    return subprocess.Popen([sys.executable, "-W", "error", "-c", program], stdout=subprocess.PIPE, text=True)


def until(condition):
    end = time.monotonic() + 60
    while not (seen := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def server_of(pid):
    """The fork server of a process, once there is one."""
    children = psutil.Process(pid).children()
    return next((child for child in children if "multiprocessing.forkserver" in " ".join(child.cmdline())), None)


def test_hosts_come_from_it_and_find_its_imports_and_their_workers_use_one_thread(temporary):
    body = "from multiprocessing import forkserver\nbefore = forkserver._forkserver._forkserver_pid\n"
    body += RUN.format(verb="threads") + "print(forkserver._forkserver._forkserver_pid == before)"
    process = start(body)
    assert process.communicate(timeout=60)[0] == "['1', 'done']\nTrue\n"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("source", ["raise ValueError('broken')", "import sys; sys.exit(3)", "import os; os._exit(3)"])
def test_what_cannot_be_imported_early_costs_no_task(temporary, tmp_path, monkeypatch, source):
    (tmp_path / "bad_library.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start(RUN.format(verb="pass"), preload=["bad_library"])
    assert process.communicate(timeout=60)[0] == "['done', 'done']\n"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("mark", ["first", "last"])
def test_it_ends_with_a_parent_that_is_killed_before_it_has_run_anything(temporary, tmp_path, monkeypatch, mark):
    for name in ("first", "last"):
        (tmp_path / f"{name}_library.py").write_text(f"open({str(tmp_path / name)!r}, 'w').close()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start("import time; time.sleep(60)", preload=["first_library", "cv2", "last_library"])
    server = until(lambda: server_of(process.pid))
    until((tmp_path / mark).exists)
    process.kill()
    process.communicate()
    until(lambda: gone(server))
    until(lambda: not list(temporary.iterdir()))


COMMAND = """
import atexit, sys
from multiprocessing import forkserver
from imgpool.cli import main
atexit.register(lambda: print("server:", forkserver._forkserver._forkserver_pid))
sys.argv = ["imgpool", "process", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("option", ["--serial", "--engine=serial", "-n", "--dry-run", "-h"])
def test_who_needs_no_workers_starts_none(temporary, option):
    command = [sys.executable, "-c", COMMAND, "nowhere", option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.stdout.splitlines()[-1] == "server: None"


@pytest.mark.parametrize("words", [["nowhere"], ["--unknown"], [], ["nowhere", "-f", "gausian"]])
def test_a_usage_error_leaves_nobody_and_says_nothing_odd(temporary, words):
    command = [sys.executable, "-m", "imgpool", "process", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=temporary)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "rror" in done.stderr or done.stderr.startswith("imgpool: ")
    until(lambda: not list(temporary.iterdir()))


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "terminated\n")])
def test_a_signal_while_it_starts_leaves_nobody_and_says_one_word(temporary, number, word):
    command = [sys.executable, "-m", "imgpool", "process", "nowhere"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=temporary)
    server = until(lambda: server_of(process.pid))
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (128 + number, word)
    until(lambda: gone(server))
    until(lambda: not list(temporary.iterdir()))
