"""Running commands side by side and measuring what they take.

This module and whatever starts commands through it load no large library: a child process would inherit nothing
from it, and the processors are free for what is measured.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LIMIT = 1200.0  # seconds
PERIOD = 0.02  # seconds between two looks at the memory

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY", "MAGICK_THREAD_LIMIT")
ONE_THREAD = dict.fromkeys(THREADS, "1")
"""Every method runs as many processes as there are processors: no library is to start threads besides."""


class MethodError(Exception):
    """A method failed, or gave something else than was asked for."""


@dataclass(frozen=True)
class Command:
    """One process to start.

    Attributes
    ----------
    words
        The command line.
    lines
        What it reads from stdin.
    folder
        Where it runs.
    environment
        Variables beside the usual ones.
    """

    words: Sequence[str]
    lines: Sequence[str] = ()
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def run(commands: Sequence[Command], *, watch: bool = False) -> tuple[float, int]:
    """Run commands at the same time until all have ended.

    Parameters
    ----------
    commands
        What to start.
    watch
        Whether to look at the memory all the while, which takes some time itself.

    Returns
    -------
    tuple
        The seconds, and the peak of memory in bytes of the largest process among them and their children; 0 if
        not watched.

    Raises
    ------
    MethodError
        If one fails, is not there, or takes too long.
    """
    with contextlib.ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile()) for _ in commands]
        inputs = [stack.enter_context(_file_of(command.lines)) for command in commands]
        started = time.perf_counter()
        processes = list[subprocess.Popen[bytes]]()
        stack.callback(_end, processes)
        for command, log, lines in zip(commands, logs, inputs, strict=True):
            processes.append(_start(command, log.fileno(), lines))
        memory = stack.enter_context(_watched(processes)) if watch else [0]
        late = threading.Timer(LIMIT, _end, [processes])
        late.start()
        stack.callback(late.cancel)
        codes = [process.wait() for process in processes]
        seconds = time.perf_counter() - started
        for command, code, log in zip(commands, codes, logs, strict=True):
            if code:
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()[-1:] or ["nothing said"]
                raise MethodError(f"{Path(command.words[0]).name} ended with {code}: {said[0][:200]}")
    return seconds, memory[0]


def _start(command: Command, log: int, lines: int) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        return subprocess.Popen(  # noqa: S603 - our own commands
            command.words, stdin=lines, stdout=log, stderr=log, cwd=command.folder,
            env={**environment, **ONE_THREAD, **command.environment}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise MethodError(f"{command.words[0]}: {error}") from None


@contextlib.contextmanager
def _file_of(lines: Sequence[str]) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.seek(0)
        yield file.fileno()


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _watched(processes: Sequence["subprocess.Popen[bytes]"]) -> Iterator[list[int]]:
    """A list whose only number is the largest peak seen so far."""
    largest, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(PERIOD):
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    root = psutil.Process(process.pid)
                    largest[0] = max(largest[0], *map(_peak, [root, *root.children(recursive=True)]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield largest
    finally:
        done.set()
        thread.join()


def _peak(process: psutil.Process) -> int:
    """The peak of a process so far where the system tells it, else what it takes now."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
        return 0
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
