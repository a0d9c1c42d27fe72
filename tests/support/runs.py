"""Commands that tests start as processes, disturb, and inspect afterwards."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

POISON = Path(__file__).parent / "poison"
SLEEPLESS = Path(__file__).parent / "faketime"
TIMEOUT_S = 120  # a run that takes longer hangs
SHARED = Path("/dev/shm")


@dataclass(frozen=True)
class Outcome:
    """How a run ended; the code is None if it did not end."""

    code: int | None
    stdout: str
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)


class Running:
    """A program and all its descendants, which inherit a mark in their environment.

    It leads a session and gets every signal, as in a terminal of its own, and it finds the plug-ins in `POISON`.
    It prints into files: a pipe would stay open as long as any process that it started.
    """

    def __init__(self, command, temporary, **environment):
        self._mark = f"STARTED_BY_TEST={uuid.uuid4().hex}"
        self._stdout = tempfile.TemporaryFile("w+", errors="surrogateescape")  # noqa: SIM115 - see close
        self._stderr = tempfile.TemporaryFile("w+", errors="surrogateescape")  # noqa: SIM115 - see close
        name, _, value = self._mark.partition("=")
        paths = [environment.pop("PYTHONPATH", ""), str(POISON), os.environ.get("PYTHONPATH", "")]
        own = {name: value, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TMPDIR": str(temporary)}
        self._process = subprocess.Popen(
            [os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            cwd=temporary,
            start_new_session=True,
            preexec_fn=_reset_signals,  # noqa: PLW1509 - it takes no lock
            env={**os.environ, **own, **environment},
        )
        self.pid = self._process.pid
        self._outcome = None

    def is_running(self):
        return self._process.poll() is None

    def wait(self, seconds=TIMEOUT_S):
        """Wait for the end; after the timeout, kill all processes of the run."""
        if self._outcome is None:
            try:
                code = self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill_all()
                code = None
            exit_code = code if code is None or code >= 0 else 128 - code
            self._outcome = Outcome(exit_code, _text(self._stdout), _text(self._stderr))
            self._close_files()
        return self._outcome

    def until(self, condition, seconds=TIMEOUT_S):
        """Wait until a condition holds or the run ends; return whether the condition holds."""
        seconds_until(lambda: condition() or not self.is_running(), seconds)
        return condition()

    def processes(self):
        """All live processes, including the first."""
        return [process for process in psutil.process_iter() if self._mark in _environment(process)]

    def hosts(self):
        """The processes that lead a session, without the first."""
        return [process for process in self.processes() if process.pid != self.pid and _leads(process)]

    def workers(self):
        """The children of the host processes."""
        processes = self.processes()
        hosts = {process.pid for process in processes if process.pid != self.pid and _leads(process)}
        return [process for process in processes if _parent(process) in hosts]

    def helpers(self):
        """All processes but the first."""
        return [process for process in self.processes() if process.pid != self.pid]

    def shared_names(self):
        """Names of the semaphores and arrays in shared memory that its processes use."""
        lines = (line for process in self.processes() for line in _maps(process))
        return {line.split(maxsplit=5)[5] for line in lines if str(SHARED) in line and not line.endswith("(deleted)")}

    def send(self, number, *, group=False):
        """Send a signal to the first process, or to its process group as a terminal does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number) if group else os.kill(self.pid, number)

    def kill_all(self):
        while left := self.processes():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            time.sleep(0.01)
        self._process.wait()

    def close(self):
        self.kill_all()
        self._close_files()

    def _close_files(self):
        self._stdout.close()
        self._stderr.close()


def random_moment(chance, running, output, count):
    """Wait for a random moment of a run: before its first output, or after any number of outputs below `count`."""
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0, 1))
    else:
        number = chance.randint(min(_count(output), count - 1), count - 1)
        running.until(lambda: _count(output) >= number)
        time.sleep(chance.uniform(0, 0.03))


def seconds_until(condition, timeout_s=TIMEOUT_S):
    """Seconds until a condition holds; None if it does not hold in time."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            return None
        time.sleep(0.01)
    return time.monotonic() - started


def send_each(processes, number):
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def records(folder):
    """The lines of the journal in order, without incomplete ones."""
    path = Path(folder, ".imgpool", "journal.jsonl")
    for line in path.read_bytes().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def command(*arguments):
    return [sys.executable, "-m", "imgpool", *arguments]


def _count(output):
    return len(os.listdir(output)) if output.exists() else 0


def _reset_signals():
    """Handle signals that the parent of the tests may ignore, as a shell does for background jobs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _text(file):
    file.seek(0)
    return file.read()


def _environment(process):
    try:
        return Path(f"/proc/{process.pid}/environ").read_text("utf-8", "surrogateescape").split("\0")
    except OSError:
        return []


def _maps(process):
    try:
        return Path(f"/proc/{process.pid}/maps").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []


def _leads(process):
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid) == process.pid
    return False


def _parent(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.ppid()
    return None
