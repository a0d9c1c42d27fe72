"""Tasks for the engine tests. The ``source`` of a task says what it does: a verb and its arguments."""

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from imgpool.core.engine import EngineOptions, MemoryNeeded
from imgpool.core.errors import ReadError
from imgpool.core.task import Result, Task
from imgpool.system.processes import process_number


class Unpicklable(Exception):  # noqa: N818 - a bad exception on purpose
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second
        self.function = lambda: None


class Mute(Exception):  # noqa: N818 - a bad exception on purpose
    def __str__(self):
        raise ValueError("no text")


def tasks(*verbs):
    return [Task(verb, f"out-{number}", 10 + number, 0) for number, verb in enumerate(verbs)]


def options(**changes):
    return EngineOptions(**({"workers": 2} | changes))


def no_state():
    return None


def leave_mark(folder):
    """Create a file per call; an initializer."""
    (Path(folder) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    return folder


def die_at_once():
    faulthandler.disable()
    os.kill(os.getpid(), signal.SIGBUS)


def be_killed():
    """Be killed as from outside; an initializer."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    time.sleep(60)


def compute(*_):
    """Compute for a long time; an initializer."""
    _spin(60)


def read_slowly():
    """Take longer than a test allows for a start without activity, but read a file now and then; an initializer."""
    for _ in range(20):
        Path(__file__).read_bytes()
        time.sleep(0.1)


def once(path):
    """Return True in the first process that calls this."""
    try:
        Path(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def do(_state, task, _memory=None):
    """Do what the task says; the result's ``dtype`` is what the verb returns."""
    verb, _, argument = task.source.partition(" ")
    return Result(task, "done", dtype=str(VERBS[verb](argument) or ""))


def only_mark(folder, task, _memory=None):
    """Create a file per call, to count the tasks that were started."""
    (Path(folder) / f"{Path(task.target).name}-{time.monotonic_ns()}").touch()
    return Result(task, "done")


def need_memory(_state, task, memory):
    """Need that many bytes; the result's ``dtype`` is how many were allowed in the end."""
    if memory is not None and task.source == "unknown":
        raise MemoryNeeded
    if memory is not None and memory < int(task.source):
        raise MemoryNeeded(int(task.source))
    return Result(task, "done", dtype=str(memory))


def need_memory_for_a_while(state, task, memory):
    result = need_memory(state, task, memory)
    time.sleep(0.03)
    return result


def never_enough(_state, _task, _memory):
    raise MemoryNeeded


def _note_pid(argument):
    (Path(argument) / str(os.getpid())).touch()
    time.sleep(60)


def _is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _count_running(argument):
    """Return how many processes do this at the same time."""
    folder, mark = Path(argument.split()[0]), f"here-{os.getpid()}"
    (folder / mark).touch()
    time.sleep(0.1)
    count = sum(_is_running(int(path.name.removeprefix("here-"))) for path in folder.glob("here-*"))
    (folder / mark).unlink()
    return count


def _count_running_once(folder):
    if once(Path(folder, "mark")):
        os.kill(os.getpid(), signal.SIGKILL)
    return _count_running(folder)


def _note_pid_for(argument):
    seconds, _, folder = argument.partition(" ")
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(float(seconds))


def _note_pid_and_hold_lock(argument):
    """Hang in C code that holds the GIL: no other thread of the process runs."""
    (Path(argument) / str(os.getpid())).touch()
    ctypes.PyDLL(None).sleep(60)


def _note_pid_once(argument):
    if once(Path(argument) / "mark"):
        _note_pid(argument)


def _crash(_):
    faulthandler.disable()  # pytest's would print a traceback
    ctypes.string_at(0)


def _raise(error):
    raise error


def _die_once(argument):
    if once(argument):
        os.kill(os.getpid(), signal.SIGKILL)


def _sleep_once(argument):
    if once(argument):
        time.sleep(60)


def _hold_memory(argument):
    return len(bytearray(int(argument)))


def _spin(seconds):
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass


def _threads(_):
    import cv2
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return max([cv2.getNumThreads(), *(pool["num_threads"] for pool in threadpool_info())])


VERBS = {
    "pass": str,
    "raise": lambda text: _raise(ValueError(text)),
    "read-error": lambda text: _raise(ReadError(text, "copy it again")),
    "unpicklable": lambda text: _raise(Unpicklable(text, 2)),
    "mute": lambda _: _raise(Mute()),
    "sys-exit": lambda _: sys.exit(3),
    "interrupt": lambda _: _raise(KeyboardInterrupt()),
    "kill-host": lambda _: os.kill(os.getppid(), signal.SIGKILL) or time.sleep(60),
    "kill-group": lambda _: os.killpg(0, signal.SIGKILL),
    "os-exit": lambda code: os._exit(int(code)),
    "sigkill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "sigsegv": _crash,
    "sigkill-once": _die_once,
    "sleep-once": _sleep_once,
    "note-pid-and-sleep": _note_pid,
    "count-running": _count_running,
    "count-running-once": _count_running_once,
    "note-pid-and-hold-lock": _note_pid_and_hold_lock,
    "note-pid-for": _note_pid_for,
    "note-pid-and-sleep-once": _note_pid_once,
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "spin": _spin,
    "memory": _hold_memory,
    "threads": _threads,
    "modules": lambda name: name in sys.modules,
    "interrupt-from-terminal": lambda _: os.kill(os.getpid(), signal.SIGINT),
    "environment": os.environ.get,
    "parent": lambda _: os.getppid(),
}


def noted(folder, count):
    """Wait for `count` processes to leave their number in a folder; return them."""
    end = time.monotonic() + 20
    while len(found := [path.name for path in folder.iterdir() if path.name.isdigit()]) < count:
        assert time.monotonic() < end
        time.sleep(0.02)
    return [psutil.Process(int(name)) for name in found]


def claim_and_stay(claims, slot, index, seconds, exit_code):
    """Claim a task, then exit with a code, or work for a long time."""
    claims.claim(slot, index, seconds)
    if exit_code is not None:
        os._exit(exit_code)
    time.sleep(60)


def child_numbers(method):
    """Return the numbers of three children of this process."""
    context = multiprocessing.get_context(method)
    return [process_number(context.Process()) for _ in range(3)]


def send_numbers(send):
    """Send a few messages; a function for the prefork host."""
    for number in range(3):
        send(number)


def wait_after_a_message(send):
    """Send a message, then nothing for a long time; a function for the prefork host."""
    send("waiting")
    time.sleep(1000)


def allocate_much(send):
    """Allocate more than 1 GiB; a function for the prefork host."""
    send(len(bytes(2 << 30)))
