"""The command as a process among others: signals, terminals that hang up, pipes that nobody reads."""

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
from tests.support.runs import POISON, outputs, records

if sys.platform != "linux":
    pytest.skip("signals, terminals and /proc as Linux has them", allow_module_level=True)

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
COUNT = 30
ENGINES = {"serial": ["--serial"], "pool": ["-j", "2", "--chunksize", "1"]}
every_engine = pytest.mark.parametrize("engine", ENGINES)


class Images:
    """Images that are in hand for as long as a test wants: a decoder tells that it has begun, and waits for a word."""

    def __init__(self, home, count):
        self.folder, self._marks = home / "in", home / "marks"
        self.folder.mkdir()
        for number in range(count):
            mark = self._marks / f"{number:02}"
            mark.mkdir(parents=True)
            (self.folder / f"{number:02}.poison").write_text(f"wait {mark}")

    def in_hand(self):
        """The names of those that have begun, and wait."""
        return {mark.name for mark in self._marks.iterdir() if any(mark.iterdir()) and not (mark / "go").exists()}

    def finish(self, names):
        for name in names:
            (self._marks / name / "go").touch()

    def finish_all(self):
        self.finish(os.listdir(self._marks))


class Command:
    """The command, in a session of its own unless it is said otherwise, and what it has printed so far."""

    def __init__(self, home, *words, python=(), **how):
        self._printed = [home / f"{name}-{time.monotonic_ns()}" for name in ("stdout", "stderr")]
        streams = dict(zip(("stdout", "stderr"), (path.open("wb") for path in self._printed), strict=True))
        environment = {**os.environ, "PYTHONPATH": str(POISON), "TERM": "xterm", "COLUMNS": "100"}
        environment.pop("PYTHONUNBUFFERED", None)  # what Python cannot flush at its exit is one of the troubles
        command = [sys.executable, *python, "-m", "imgpool", *map(str, words)]
        how = {"start_new_session": "preexec_fn" not in how} | streams | how
        self.process = subprocess.Popen(how.pop("wrapped", list)(command), env=environment, cwd=home, **how)
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

    def runs(self):
        return self.process.poll() is None

    def send(self, number, whom):
        """Send a signal as a terminal does (group), as `kill` does (alone), or as `timeout` does (both)."""
        if whom in {"alone", "both"}:
            os.kill(self.process.pid, number)
        if whom in {"group", "both"}:
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
    """Start ``imgpool process``; whatever happens, nobody stays behind."""
    started = []

    def start(*options, **how):
        words = ["process", images.folder, "-o", tmp_path / "out", "-f", "invert", "--json", *options]
        started.append(Command(tmp_path, *words, **how))
        return started[-1]

    yield start
    for command in started:
        command.process.kill()
        command.process.wait()


def until(condition, command):
    """Wait for something that has to happen before the command ends."""
    end = time.monotonic() + 100
    while not (seen := condition()):
        assert command.runs(), command.stderr
        assert time.monotonic() < end
        time.sleep(0.01)
    return seen


def begun(command, images, engine="pool"):
    """Wait until the workers have their hands full; what they have in hand."""
    return until(lambda: len(images.in_hand()) == len(ENGINES[engine]) // 4 + 1 and images.in_hand(), command)


def finish_what_begins(command, images):
    """Let all go on that has begun, to the end of the command."""
    while command.runs():
        images.finish(images.in_hand())
        time.sleep(0.01)
    return command.wait()


def whole(out):
    """Whether the journal and the folder tell the same, and nothing half-made lies about; what is done."""
    done = {record["target"] for record in records(out) if record["status"] == "done"}
    assert done == outputs(out).keys()
    assert not list(out.glob(".imgpool/tmp/**/*.poison*"))
    return done


def continues(start, images, out):
    """Whether the same command finishes what is left, and makes what an undisturbed run makes."""
    before = whole(out)
    images.finish_all()
    again = start()
    assert again.wait() == 0
    assert (again.json["done"], again.json["skipped"]) == (COUNT - len(before), len(before))
    assert whole(out) == {path.name for path in images.folder.iterdir()}
    for path in images.folder.iterdir():
        assert (out / path.name).read_bytes() == bytes([255 - zlib.crc32(path.read_bytes()) % 256] * 64)


@pytest.mark.parametrize(
    ("engine", "number", "whom"),
    [
        ("serial", INT, "group"),
        ("serial", TERM, "alone"),
        ("pool", INT, "group"),
        ("pool", INT, "both"),
        ("pool", TERM, "group"),
        ("pool", TERM, "alone"),
    ],
)
def test_a_signal_lets_the_images_in_hand_finish_and_no_other_begin(start, images, tmp_path, engine, number, whom):
    command = start(*ENGINES[engine])
    in_hand = begun(command, images, engine)
    command.send(number, whom)
    until(lambda: FINISHING in command.stderr, command)
    assert finish_what_begins(command, images) == 128 + number
    assert CUT_OFF not in command.stderr
    assert CONTINUE_ADVICE in command.stderr
    done = whole(tmp_path / "out")
    assert {f"{name}.poison" for name in in_hand} <= done
    assert (command.json["done"], command.json["left"]) == (len(done), COUNT - len(done))
    assert command.json["interrupted"]
    assert command.json["left"] > 0
    continues(start, images, tmp_path / "out")


@pytest.mark.parametrize(
    ("engine", "first", "second"),
    [("serial", INT, INT), ("pool", INT, INT), ("pool", TERM, TERM), ("pool", INT, TERM), ("serial", TERM, INT)],
)
def test_a_second_signal_stops_at_once(start, images, tmp_path, engine, first, second):
    command = start(*ENGINES[engine])
    begun(command, images, engine)
    command.send(first, "group")
    until(lambda: FINISHING in command.stderr, command)
    time.sleep(3 * REPEATED_SIGNAL_S)  # the same signal within this time would be its echo
    command.send(second, "group")
    assert command.wait() == 128 + first
    assert CUT_OFF not in command.stderr
    assert CONTINUE_ADVICE in command.stderr
    assert (command.json["done"], command.json["left"], command.json["interrupted"]) == (0, COUNT, True)
    continues(start, images, tmp_path / "out")


@every_engine
def test_images_that_do_not_finish_in_time_are_cut_off(start, images, tmp_path, engine):
    command = start(*ENGINES[engine])
    begun(command, images, engine)
    command.send(INT, "group")
    assert command.wait() == 130
    assert CUT_OFF in command.stderr
    assert command.json["left"] == COUNT
    continues(start, images, tmp_path / "out")


def test_a_library_that_does_not_return_is_not_waited_for(start, images, tmp_path):
    (tmp_path / "large").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000), np.uint8)
    (tmp_path / "large" / "noise.png").write_bytes(imagecodecs.png_encode(noise))
    images.folder = tmp_path / "large"
    command = start("--serial", "-f", "skimage.restoration.rolling_ball:radius=200")
    until(lambda: _threads_at_work(command), command)
    command.send(INT, "alone")
    until(lambda: FINISHING in command.stderr, command)
    command.send(TERM, "alone")
    assert command.wait() == 130
    assert CONTINUE_ADVICE in command.stderr
    assert (command.json["left"], command.json["interrupted"]) == (1, True)


def _threads_at_work(command):
    """Whether the recipe's filter, and not an import, has the processor: it is all that takes seconds."""
    return psutil.Process(command.process.pid).cpu_times().user > 3


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_while_the_last_image_is_being_finished(start, images, tmp_path, number):
    for path in sorted(images.folder.iterdir())[1:]:
        path.unlink()
    command = start()
    in_hand = until(images.in_hand, command)
    command.send(number, "group")
    until(lambda: FINISHING in command.stderr, command)
    images.finish(in_hand)
    assert command.wait() == 128 + number
    assert ALL_DONE_ADVICE in command.stderr
    assert (command.json["done"], command.json["left"], command.json["interrupted"]) == (1, 0, True)
    assert whole(tmp_path / "out") == {"00.poison"}


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_while_the_workers_are_being_started(start, images, tmp_path, number):
    for _ in range(3):
        command = start()
        until((tmp_path / "out" / ".imgpool" / "journal.jsonl").exists, command)
        command.send(number, "group")
        assert finish_what_begins(command, images) == 128 + number, command.stderr
        assert CONTINUE_ADVICE in command.stderr
        (tmp_path / "out" / ".imgpool" / "journal.jsonl").unlink()
        for path in (tmp_path / "out").glob("*.poison"):
            path.unlink()


TELL_IMPORTS = """
import sys
del sys._xoptions["importtime"], sys.argv[:2]  # a process that is started anew does not tell its own
from imgpool.cli import main
main()
"""


@pytest.mark.parametrize(("number", "word"), [(INT, "interrupted"), (TERM, "terminated")])
def test_a_signal_before_anything_runs_ends_the_command_with_a_word(tmp_path, images, number, word):
    words = ["process", images.folder, "-o", tmp_path / "out"]
    python = ["-X", "importtime", "-c", TELL_IMPORTS]
    plan = Command(tmp_path, *words, "--dry-run", python=python)
    assert plan.wait() == 0
    last = []
    for part in range(8):
        command = Command(tmp_path, *words, python=python)
        until(lambda its=command, part=part: imported(its) > imported(plan) * part // 8, command)
        command.send(number, "alone")
        assert command.wait() == 128 + number
        last.append(next(line for line in reversed(command.stderr.splitlines()) if not line.startswith("import time")))
    assert last[:4] == [word] * 4
    assert set(last) <= {word, f"{word}; {CONTINUE_ADVICE}"}  # a late signal may find the first images in hand


def imported(command):
    """How many modules have been imported since the command listens to signals."""
    return command.stderr.partition(" imgpool.system.signals\n")[2].count("import time:")


@every_engine
@pytest.mark.parametrize("whom", ["group", "alone"])
def test_a_hang_up_ends_no_run(start, images, tmp_path, engine, whom):
    command = start(*ENGINES[engine])
    begun(command, images, engine)
    command.send(HUP, whom)
    images.finish_all()
    assert command.wait() == 0
    assert len(whole(tmp_path / "out")) == COUNT


def test_nohup(start, images, tmp_path):
    command = start(wrapped=lambda words: ["nohup", *words])
    begun(command, images)
    command.send(HUP, "group")
    images.finish_all()
    assert command.wait() == 0
    assert len(whole(tmp_path / "out")) == COUNT


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_that_the_parent_ignores_is_ignored(start, images, tmp_path, number):
    """As Ctrl-C is in the background jobs of a shell script."""

    def ignore():
        os.setsid()
        signal.signal(number, signal.SIG_IGN)

    command = start(preexec_fn=ignore)
    begun(command, images)
    command.send(number, "group")
    images.finish_all()
    assert command.wait() == 0
    assert not command.json["interrupted"]
    assert len(whole(tmp_path / "out")) == COUNT


@every_engine
def test_a_run_that_is_put_to_sleep_and_woken_up_again(start, images, tmp_path, engine):
    command = start(*ENGINES[engine], start_new_session=False, process_group=0)
    begun(command, images, engine)
    command.send(signal.SIGTSTP, "group")
    until(lambda: psutil.Process(command.process.pid).status() == psutil.STATUS_STOPPED, command)
    images.finish_all()
    command.send(signal.SIGCONT, "group")
    assert command.wait() == 0
    assert len(whole(tmp_path / "out")) == COUNT


@pytest.fixture
def terminal():
    """Both ends of a terminal: the user's, and the programs'."""
    ends = list(os.openpty())
    yield ends
    for end in ends:
        os.close(end)


def in_terminal(end):
    """How to start a program in a terminal that is its own; its stdout goes to a file."""
    return {"stderr": end, "stdin": end, "preexec_fn": lambda: (os.setsid(), _control(end))}


def _control(end):
    import fcntl
    import termios

    fcntl.ioctl(end, termios.TIOCSCTTY, 0)


@every_engine
def test_a_terminal_that_is_closed_ends_no_run(start, images, tmp_path, terminal, engine):
    users, programs = terminal
    command = start(*ENGINES[engine], **in_terminal(programs))
    os.close(programs)
    begun(command, images, engine)
    os.close(users)
    terminal.clear()
    images.finish_all()
    assert command.wait() == 0
    assert (command.json["done"], command.json["interrupted"]) == (COUNT, False)
    assert len(whole(tmp_path / "out")) == COUNT


@pytest.mark.parametrize("keys", ["\x03", "\x03\x03"])
def test_ctrl_c_leaves_the_terminal_tidy(start, images, terminal, keys):
    users, programs = terminal
    command = start(**in_terminal(programs))
    begun(command, images)
    seen = b""
    for key in keys:
        time.sleep(3 * REPEATED_SIGNAL_S)  # as a person presses a key twice
        os.write(users, key.encode())
        while FINISHING.encode() not in seen:
            seen += os.read(users, 1 << 16)
    assert finish_what_begins(command, images) == 130
    os.close(programs)
    terminal.remove(programs)
    while chunk := _read(users):
        seen += chunk
    shown = seen.decode()
    assert re.search(r"\r(\x1b\[[0-9;]*[A-Z])*" + FINISHING + "\r\n", shown), shown  # on a line without the bar
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is hidden, and comes back
    assert CONTINUE_ADVICE in shown.splitlines()[-1]


def _read(end):
    try:
        return os.read(end, 1 << 16)
    except OSError:  # all is read, and nobody there to write more
        return b""


def closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@every_engine
@pytest.mark.parametrize("verbosity", ["-q", "-v"])
@pytest.mark.parametrize("broken", [False, True])
def test_pipes_that_nobody_reads_change_no_exit_code(start, images, tmp_path, engine, verbosity, broken):
    if broken:
        (images.folder / "broken.png").write_bytes(b"no image")
    images.finish_all()
    pipe = closed_pipe()
    command = start(*ENGINES[engine], verbosity, stdout=pipe, stderr=pipe)
    os.close(pipe)
    assert command.wait() == (1 if broken else 0)
    assert len(whole(tmp_path / "out")) == COUNT


@every_engine
@pytest.mark.parametrize(("closed", "numbers"), [("2>&-", [2]), (">&- 2>&-", [1, 2]), ("<&- >&- 2>&-", [0, 1, 2])])
def test_streams_that_are_closed_change_nothing(start, images, tmp_path, engine, closed, numbers):
    command = start(*ENGINES[engine], "-v", wrapped=lambda words: ["sh", "-c", f"exec {shlex.join(words)} {closed}"])
    begun(command, images, engine)
    open_now = [os.readlink(f"/proc/{command.process.pid}/fd/{number}") for number in numbers]
    assert set(open_now) == {os.devnull}  # and not the journal, into which a C library would print
    images.finish_all()
    assert command.wait() == 0
    assert len(whole(tmp_path / "out")) == COUNT
    assert 1 in numbers or command.json["done"] == COUNT


def test_a_full_disk_under_stderr_ends_no_run(start, images, tmp_path):
    images.finish_all()
    with Path("/dev/full").open("wb") as full:
        command = start("-v", stderr=full)
    assert command.wait() == 0
    assert command.json["done"] == COUNT
    assert len(whole(tmp_path / "out")) == COUNT


def test_json_that_cannot_be_kept_is_an_error(start, images):
    images.finish_all()
    with Path("/dev/full").open("wb") as full:
        command = start(stdout=full)
    assert command.wait() == 3
    assert "No space left on device" in command.stderr


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


def test_in_python_ctrl_c_stays_pythons_own(start, images, tmp_path):
    words = [sys.executable, "-c", IN_PYTHON, str(images.folder), str(tmp_path / "out")]
    script = start(wrapped=lambda _: words)
    begun(script, images)
    script.send(INT, "group")
    assert script.wait() == 0
    assert script.stdout == "interrupted\n"
    assert whole(tmp_path / "out") == set()
