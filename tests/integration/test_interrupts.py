"""`imgpool process` when it gets signals, and when its terminal or its pipes are closed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import psutil
import pytest

from imgpool.cli._interrupts import CUT_OFF, FINISHING, REPEATED_SIGNAL_S
from imgpool.cli.process import ALL_DONE_ADVICE, CONTINUE_ADVICE
from tests.support.hashes import output_hashes
from tests.support.runs import POISON, records

if sys.platform != "linux":
    pytest.skip("signals, terminals and /proc as Linux has them", allow_module_level=True)

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
COUNT = 30
ENGINES = {"serial": ["--serial"], "pool": ["-j", "2", "--chunksize", "1"]}
every_engine = pytest.mark.parametrize("engine", ENGINES)


class Images:
    """Images that are processed as long as a test wants: their decoder leaves a mark and waits for a file."""

    def __init__(self, home, count):
        self.folder, self._marks = home / "in", home / "marks"
        self.folder.mkdir()
        for number in range(count):
            mark = self._marks / f"{number:02}"
            mark.mkdir(parents=True)
            (self.folder / f"{number:02}.poison").write_text(f"wait {mark}")

    def current(self):
        """The names of the images that are being processed."""
        return {mark.name for mark in self._marks.iterdir() if any(mark.iterdir()) and not (mark / "go").exists()}

    def finish(self, names):
        for name in names:
            (self._marks / name / "go").touch()

    def finish_all(self):
        self.finish(os.listdir(self._marks))


class Command:
    """A running command, by default in a session of its own, and what it has printed so far."""

    def __init__(self, home, *arguments, python=(), **options):
        self._printed = [home / f"{name}-{time.monotonic_ns()}" for name in ("stdout", "stderr")]
        streams = dict(zip(("stdout", "stderr"), (path.open("wb") for path in self._printed), strict=True))
        environment = {**os.environ, "PYTHONPATH": str(POISON), "TERM": "xterm", "COLUMNS": "100"}
        environment.pop("PYTHONUNBUFFERED", None)  # unflushed output at exit is part of the tests
        command = [sys.executable, *python, "-m", "imgpool", *map(str, arguments)]
        options = {"start_new_session": "preexec_fn" not in options} | streams | options
        self.process = subprocess.Popen(options.pop("wrapped", list)(command), env=environment, cwd=home, **options)
        for stream in streams.values():
            stream.close()

    @property
    def stdout(self):
        return self._printed[0].read_text("utf-8")

    @property
    def stderr(self):
        return self._printed[1].read_text("utf-8")

    @property
    def json(self):
        return json.loads(self.stdout)

    def is_running(self):
        return self.process.poll() is None

    def send(self, number, target):
        """Send a signal as a terminal does (group), as `kill` does (alone), or as `timeout` does (both)."""
        if target in {"alone", "both"}:
            os.kill(self.process.pid, number)
        if target in {"group", "both"}:
            os.killpg(self.process.pid, number)

    def wait(self):
        code = self.process.wait(timeout=100)
        assert "Traceback" not in self.stderr, self.stderr
        return code


@pytest.fixture
def images(tmp_path):
    return Images(tmp_path, COUNT)


@pytest.fixture
def start(images, tmp_path):
    """Start ``imgpool process``; it is killed at the end of the test."""
    started = []

    def start(*options, **popen_options):
        arguments = ["process", images.folder, "-o", tmp_path / "out", "-f", "invert", "--json", *options]
        started.append(Command(tmp_path, *arguments, **popen_options))
        return started[-1]

    yield start
    for command in started:
        command.process.kill()
        command.process.wait()


def wait_until(condition, command):
    """Wait for something that must happen before the command ends; return what the condition returned."""
    end = time.monotonic() + 100
    while not (seen := condition()):
        assert command.is_running(), command.stderr
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def wait_until_busy(command, images, engine="pool"):
    """Wait until every worker processes an image; return the names of these images."""
    workers = {"serial": 1, "pool": 2}[engine]
    return wait_until(lambda: len(images.current()) == workers and images.current(), command)


def finish_current_images(command, images):
    """Let every image finish that is started, until the command ends; return its exit code."""
    while command.is_running():
        images.finish(images.current())
        time.sleep(0.01)
    return command.wait()


def check_outputs(out):
    """Check that journal and folder agree and that no scratch file is left; return the names of the outputs."""
    done = {record["target"] for record in records(out) if record["status"] == "done"}
    assert done == output_hashes(out).keys()
    assert not list(out.glob(".imgpool/tmp/**/*.poison*"))
    return done


def check_continuation(start, images, out):
    """Check that the same command processes the rest, and that all outputs are as in an undisturbed run."""
    before = check_outputs(out)
    images.finish_all()
    again = start()
    assert again.wait() == 0
    assert (again.json["done"], again.json["skipped"]) == (COUNT - len(before), len(before))
    assert check_outputs(out) == {path.name for path in images.folder.iterdir()}
    for path in images.folder.iterdir():
        assert (out / path.name).read_bytes() == bytes([255 - zlib.crc32(path.read_bytes()) % 256] * 64)


@pytest.mark.parametrize(
    ("engine", "number", "target"),
    [
        ("serial", INT, "group"),
        ("serial", TERM, "alone"),
        ("pool", INT, "group"),
        ("pool", INT, "both"),
        ("pool", TERM, "group"),
        ("pool", TERM, "alone"),
    ],
)
def test_first_signal_lets_only_the_current_images_finish(start, images, tmp_path, engine, number, target):
    command = start(*ENGINES[engine])
    current = wait_until_busy(command, images, engine)
    command.send(number, target)
    wait_until(lambda: FINISHING in command.stderr, command)
    assert finish_current_images(command, images) == 128 + number
    assert CUT_OFF not in command.stderr
    assert CONTINUE_ADVICE in command.stderr
    done = check_outputs(tmp_path / "out")
    assert {f"{name}.poison" for name in current} <= done
    assert (command.json["done"], command.json["left"]) == (len(done), COUNT - len(done))
    assert command.json["interrupted"]
    assert command.json["left"] > 0
    check_continuation(start, images, tmp_path / "out")


@pytest.mark.parametrize(
    ("engine", "first", "second"),
    [("serial", INT, INT), ("pool", INT, INT), ("pool", TERM, TERM), ("pool", INT, TERM), ("serial", TERM, INT)],
)
def test_second_signal_stops_at_once(start, images, tmp_path, engine, first, second):
    command = start(*ENGINES[engine])
    wait_until_busy(command, images, engine)
    command.send(first, "group")
    wait_until(lambda: FINISHING in command.stderr, command)
    time.sleep(3 * REPEATED_SIGNAL_S)  # the same signal within this time counts as one
    command.send(second, "group")
    assert command.wait() == 128 + first
    assert CUT_OFF not in command.stderr
    assert CONTINUE_ADVICE in command.stderr
    assert (command.json["done"], command.json["left"], command.json["interrupted"]) == (0, COUNT, True)
    check_continuation(start, images, tmp_path / "out")


@every_engine
def test_images_that_do_not_finish_in_time_are_stopped(start, images, tmp_path, engine):
    command = start(*ENGINES[engine])
    wait_until_busy(command, images, engine)
    command.send(INT, "group")
    assert command.wait() == 130
    assert CUT_OFF in command.stderr
    assert command.json["left"] == COUNT
    check_continuation(start, images, tmp_path / "out")


def test_library_that_does_not_return_is_not_waited_for(start, images, tmp_path):
    (tmp_path / "large").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000), np.uint8)
    (tmp_path / "large" / "noise.png").write_bytes(imagecodecs.png_encode(noise))
    images.folder = tmp_path / "large"
    command = start("--serial", "-f", "skimage.restoration.rolling_ball:radius=200")
    wait_until(lambda: _is_filtering(command), command)
    command.send(INT, "alone")
    wait_until(lambda: FINISHING in command.stderr, command)
    command.send(TERM, "alone")
    assert command.wait() == 130
    assert CONTINUE_ADVICE in command.stderr
    assert (command.json["left"], command.json["interrupted"]) == (1, True)


def _is_filtering(command):
    """Whether the filter has started: it is the only part that computes for seconds."""
    return psutil.Process(command.process.pid).cpu_times().user > 3


@pytest.mark.parametrize("number", [INT, TERM])
def test_signal_during_the_last_image_leaves_nothing_to_do(start, images, tmp_path, number):
    for path in sorted(images.folder.iterdir())[1:]:
        path.unlink()
    command = start()
    current = wait_until(images.current, command)
    command.send(number, "group")
    wait_until(lambda: FINISHING in command.stderr, command)
    images.finish(current)
    assert command.wait() == 128 + number
    assert ALL_DONE_ADVICE in command.stderr
    assert (command.json["done"], command.json["left"], command.json["interrupted"]) == (1, 0, True)
    assert check_outputs(tmp_path / "out") == {"00.poison"}


@pytest.mark.parametrize("number", [INT, TERM])
def test_signal_while_workers_start_ends_the_run(start, images, tmp_path, number):
    for _ in range(3):
        command = start()
        wait_until((tmp_path / "out" / ".imgpool" / "journal.jsonl").exists, command)
        command.send(number, "group")
        assert finish_current_images(command, images) == 128 + number, command.stderr
        assert CONTINUE_ADVICE in command.stderr
        (tmp_path / "out" / ".imgpool" / "journal.jsonl").unlink()
        for path in (tmp_path / "out").glob("*.poison"):
            path.unlink()


REPORT_IMPORTS = """
import sys
del sys._xoptions["importtime"], sys.argv[:2]  # so that child processes do not report theirs
from imgpool.cli import main
main()
"""


@pytest.mark.parametrize(("number", "word"), [(INT, "interrupted"), (TERM, "terminated")])
def test_signal_during_start_up_ends_with_a_message(tmp_path, images, number, word):
    arguments = ["process", images.folder, "-o", tmp_path / "out"]
    python = ["-X", "importtime", "-c", REPORT_IMPORTS]
    plan = Command(tmp_path, *arguments, "--dry-run", python=python)
    assert plan.wait() == 0
    last = []
    for part in range(8):
        command = Command(tmp_path, *arguments, python=python)
        wait_until(lambda command=command, part=part: count_imports(command) > count_imports(plan) * part // 8, command)
        command.send(number, "alone")
        assert command.wait() == 128 + number
        last.append(next(line for line in reversed(command.stderr.splitlines()) if not line.startswith("import time")))
    assert last[:4] == [word] * 4
    assert set(last) <= {word, f"{word}; {CONTINUE_ADVICE}"}  # a late signal may arrive while images are processed


def count_imports(command):
    """Number of modules imported since the command handles signals."""
    return command.stderr.partition(" imgpool.system.signals\n")[2].count("import time:")


@every_engine
@pytest.mark.parametrize("target", ["group", "alone"])
def test_run_continues_after_a_hang_up(start, images, tmp_path, engine, target):
    command = start(*ENGINES[engine])
    wait_until_busy(command, images, engine)
    command.send(HUP, target)
    images.finish_all()
    assert command.wait() == 0
    assert len(check_outputs(tmp_path / "out")) == COUNT


def test_run_continues_under_nohup(start, images, tmp_path):
    command = start(wrapped=lambda arguments: ["nohup", *arguments])
    wait_until_busy(command, images)
    command.send(HUP, "group")
    images.finish_all()
    assert command.wait() == 0
    assert len(check_outputs(tmp_path / "out")) == COUNT


@pytest.mark.parametrize("number", [INT, TERM])
def test_signal_ignored_by_the_parent_is_ignored(start, images, tmp_path, number):
    """As Ctrl-C in the background jobs of a shell script."""

    def ignore():
        os.setsid()
        signal.signal(number, signal.SIG_IGN)

    command = start(preexec_fn=ignore)
    wait_until_busy(command, images)
    command.send(number, "group")
    images.finish_all()
    assert command.wait() == 0
    assert not command.json["interrupted"]
    assert len(check_outputs(tmp_path / "out")) == COUNT


@every_engine
def test_suspended_run_continues(start, images, tmp_path, engine):
    command = start(*ENGINES[engine], start_new_session=False, process_group=0)
    wait_until_busy(command, images, engine)
    command.send(signal.SIGTSTP, "group")
    wait_until(lambda: psutil.Process(command.process.pid).status() == psutil.STATUS_STOPPED, command)
    images.finish_all()
    command.send(signal.SIGCONT, "group")
    assert command.wait() == 0
    assert len(check_outputs(tmp_path / "out")) == COUNT


@pytest.fixture
def terminal():
    """Both ends of a terminal: the user's and the program's."""
    ends = list(os.openpty())
    yield ends
    for end in ends:
        os.close(end)


def in_terminal(end):
    """Options that start a program in its own terminal; its stdout goes to a file."""
    return {"stderr": end, "stdin": end, "preexec_fn": lambda: (os.setsid(), _control(end))}


def _control(end):
    import fcntl
    import termios

    fcntl.ioctl(end, termios.TIOCSCTTY, 0)


@every_engine
def test_run_continues_after_its_terminal_is_closed(start, images, tmp_path, terminal, engine):
    user, program = terminal
    command = start(*ENGINES[engine], **in_terminal(program))
    os.close(program)
    wait_until_busy(command, images, engine)
    os.close(user)
    terminal.clear()
    images.finish_all()
    assert command.wait() == 0
    assert (command.json["done"], command.json["interrupted"]) == (COUNT, False)
    assert len(check_outputs(tmp_path / "out")) == COUNT


@pytest.mark.parametrize("keys", ["\x03", "\x03\x03"])
def test_ctrl_c_restores_the_terminal(start, images, terminal, keys):
    user, program = terminal
    command = start(**in_terminal(program))
    wait_until_busy(command, images)
    seen = b""
    for key in keys:
        time.sleep(3 * REPEATED_SIGNAL_S)  # as a person who presses a key twice
        os.write(user, key.encode())
        while FINISHING.encode() not in seen:
            seen += os.read(user, 1 << 16)
    assert finish_current_images(command, images) == 130
    os.close(program)
    terminal.remove(program)
    while chunk := _read(user):
        seen += chunk
    shown = seen.decode()
    assert re.search(r"\r(\x1b\[[0-9;]*[A-Z])*" + FINISHING + "\r\n", shown), shown  # not in the progress bar
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is hidden and shown again
    assert CONTINUE_ADVICE in shown.splitlines()[-1]


def _read(end):
    try:
        return os.read(end, 1 << 16)
    except OSError:  # everything is read, and no writer is left
        return b""


def closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@every_engine
@pytest.mark.parametrize("verbosity", ["-q", "-v"])
@pytest.mark.parametrize("broken", [False, True])
def test_closed_pipes_do_not_change_the_exit_code(start, images, tmp_path, engine, verbosity, broken):
    if broken:
        (images.folder / "broken.png").write_bytes(b"no image")
    images.finish_all()
    pipe = closed_pipe()
    command = start(*ENGINES[engine], verbosity, stdout=pipe, stderr=pipe)
    os.close(pipe)
    assert command.wait() == (1 if broken else 0)
    assert len(check_outputs(tmp_path / "out")) == COUNT


@every_engine
@pytest.mark.parametrize(("closed", "numbers"), [("2>&-", [2]), (">&- 2>&-", [1, 2]), ("<&- >&- 2>&-", [0, 1, 2])])
def test_closed_streams_do_not_disturb_a_run(start, images, tmp_path, engine, closed, numbers):
    command = start(
        *ENGINES[engine], "-v", wrapped=lambda arguments: ["sh", "-c", f"exec {shlex.join(arguments)} {closed}"]
    )
    wait_until_busy(command, images, engine)
    open_now = [os.readlink(f"/proc/{command.process.pid}/fd/{number}") for number in numbers]
    assert set(open_now) == {os.devnull}  # not the journal, into which a C library would print
    images.finish_all()
    assert command.wait() == 0
    assert len(check_outputs(tmp_path / "out")) == COUNT
    assert 1 in numbers or command.json["done"] == COUNT


def test_run_continues_if_stderr_is_full(start, images, tmp_path):
    images.finish_all()
    with Path("/dev/full").open("wb") as full:
        command = start("-v", stderr=full)
    assert command.wait() == 0
    assert command.json["done"] == COUNT
    assert len(check_outputs(tmp_path / "out")) == COUNT


def test_json_that_cannot_be_written_is_an_error(start, images):
    images.finish_all()
    with Path("/dev/full").open("wb") as full:
        command = start(stdout=full)
    assert command.wait() == 3
    assert "stdout cannot be written: the disk is full" in command.stderr


IN_PYTHON = """
import signal, sys, imgpool
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
try:
    for result in imgpool.process(sys.argv[1], output=sys.argv[2], filters=["invert"], workers=2, chunksize=1):
        pass
except KeyboardInterrupt:
    print("interrupted")
assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
"""


def test_ctrl_c_in_python_raises_keyboard_interrupt(start, images, tmp_path):
    arguments = [sys.executable, "-c", IN_PYTHON, str(images.folder), str(tmp_path / "out")]
    script = start(wrapped=lambda _: arguments)
    wait_until_busy(script, images)
    script.send(INT, "group")
    assert script.wait() == 0
    assert script.stdout == "interrupted\n"
    assert check_outputs(tmp_path / "out") == set()
