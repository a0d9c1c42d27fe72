"""Running commands in parallel, and measuring their time and memory.

This module and its users import no large libraries, to leave processors and memory to the measured commands.
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

COMMAND_TIMEOUT_S = 1200.0
MEMORY_SAMPLING_S = 0.02

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VIPS_CONCURRENCY", "MAGICK_THREAD_LIMIT")
ONE_THREAD = dict.fromkeys(THREADS, "1")
"""Environment that limits libraries to one thread, because every method runs one process per processor."""


class MethodError(Exception):
    """A method failed, or did not produce the expected files."""


@dataclass(frozen=True)
class Command:
    """One process to start.

    Attributes
    ----------
    words
        The command line.
    lines
        Lines of its standard input.
    folder
        Its working directory; None for the current one.
    environment
        Additional environment variables.
    """

    words: Sequence[str]
    lines: Sequence[str] = ()
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def run(commands: Sequence[Command], *, watch: bool = False) -> tuple[float, int]:
    """Run commands in parallel until all of them have ended.

    Parameters
    ----------
    commands
        The commands.
    watch
        Whether to measure memory, which slows the commands down a little.

    Returns
    -------
    seconds : float
        Duration.
    memory : int
        Peak memory in bytes of the largest process, including child processes; 0 without `watch`.

    Raises
    ------
    MethodError
        If a command fails, does not exist, or takes too long.
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
        timer = threading.Timer(COMMAND_TIMEOUT_S, _end, [processes])
        timer.start()
        stack.callback(timer.cancel)
        codes = [process.wait() for process in processes]
        seconds = time.perf_counter() - started
        for command, code, log in zip(commands, codes, logs, strict=True):
            if code:
                log.seek(0)
                output = log.read().decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
                raise MethodError(f"{Path(command.words[0]).name} ended with {code}: {output[0][:200]}")
    return seconds, memory[0]


def _start(command: Command, log: int, lines: int) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    try:
        return subprocess.Popen(  # noqa: S603 - the commands of this benchmark
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
    """Sample the memory in the background; yields a list whose only item is the largest peak so far."""
    largest, done = [0], threading.Event()

    def sample() -> None:
        while not done.wait(MEMORY_SAMPLING_S):
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    root = psutil.Process(process.pid)
                    largest[0] = max(largest[0], *map(_peak, [root, *root.children(recursive=True)]))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield largest
    finally:
        done.set()
        thread.join()


def _peak(process: psutil.Process) -> int:
    """Return the peak memory of a process if the system records it, otherwise its current memory."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
        return 0
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
