"""Intents: written with one system call each, and read back whatever happened to the file."""

import errno
import os

import pytest

from imgpool.work.intents import Intent, IntentLog, encode_intent, read_intents

SOURCE = "/photos/a.png"


@pytest.fixture
def state(tmp_path):
    (tmp_path / ".imgpool").mkdir()
    return tmp_path / ".imgpool"


def log_of(state, run="run"):
    return IntentLog(str(state.parent), state.name, run)


def read(state):
    return [intent for path in sorted((state / "intents").iterdir()) for intent in read_intents(path)]


def test_intents_are_read_back_in_order(state):
    log = log_of(state)
    for number in range(3):
        log.add(f"{number}.png", SOURCE, "ab" * 32, number)
    assert os.listdir(state / "intents") == [f"run-{os.getpid()}.jsonl"]
    assert read(state) == [Intent(f"{number}.png", SOURCE, "ab" * 32, number, "run") for number in range(3)]


@pytest.mark.parametrize("name", ["\udcff.png", "new\nline.png", "µ.png", '"quoted".png', "\0"])
def test_unusual_names_are_read_back(state, name):
    log_of(state).add(name, "/photos/" + name, "", 0)
    assert read(state) == [Intent(name, "/photos/" + name, "", 0, "run")]


def test_each_intent_is_one_write(state, monkeypatch):
    written, write = [], os.write
    monkeypatch.setattr(
        "imgpool.work.intents.os.write", lambda file, line: (written.append(line), write(file, line))[1]
    )
    log = log_of(state)
    log.add("a.png", SOURCE, "", 1)
    log.add("b.png", SOURCE, "", 2)
    assert [line.count(b"\n") for line in written] == [1, 1]


def test_partial_writes_are_completed(state, monkeypatch):
    write = os.write
    monkeypatch.setattr("imgpool.work.intents.os.write", lambda file, line: write(file, line[:7]))
    log_of(state).add("a.png", SOURCE, "ab" * 32, 1)
    assert read(state) == [Intent("a.png", SOURCE, "ab" * 32, 1, "run")]


def test_an_intent_cut_off_by_a_full_disk_does_not_hide_the_next(state, monkeypatch):
    log, write = log_of(state), os.write
    log.add("a.png", SOURCE, "", 1)

    def fill_disk(file, line):
        if b"b.png" not in line:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, line[:20])

    with monkeypatch.context() as patched:
        patched.setattr("imgpool.work.intents.os.write", fill_disk)
        for _ in range(2):  # the second time, not even the line can be ended
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                log.add("b.png", SOURCE, "", 1)
    log.add("c.png", SOURCE, "", 1)
    assert [intent.target for intent in read(state)] == ["a.png", "c.png"]


def test_only_the_last_intent_is_withdrawn(state):
    log = log_of(state)
    log.add("a.png", SOURCE, "", 1)
    log.add("µ.png", SOURCE, "ab" * 32, 2)
    log.withdraw_last()
    log.add("c.png", SOURCE, "", 3)
    assert [intent.target for intent in read(state)] == ["a.png", "c.png"]


def test_nothing_is_created_before_the_first_intent(state):
    log_of(state)
    assert os.listdir(state) == []


def test_processes_write_files_of_their_own(state):
    log = log_of(state)
    log.add("a.png", SOURCE, "", 1)
    child = os.fork()
    if not child:
        log.add("b.png", SOURCE, "", 2)
        os._exit(0)
    os.waitpid(child, 0)
    assert set(os.listdir(state / "intents")) == {f"run-{os.getpid()}.jsonl", f"run-{child}.jsonl"}
    assert {intent.target for intent in read(state)} == {"a.png", "b.png"}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b'{"target":"a.png","sour',
        b"\n\n",
        b"\0\0\0\n",
        b"[]\n",
        b"null\n",
        b'{"target":1}\n',
        b"[" * 5000 + b"\n",
        b"\xff\n",
    ],
)
def test_damaged_lines_are_skipped(state, damage):
    (state / "intents").mkdir()
    intact = encode_intent(Intent("b.png", SOURCE, "", 2, "run"))
    path = state / "intents" / "damaged"
    path.write_bytes(intact + damage)
    assert [intent.target for intent in read_intents(path)] == ["b.png"]
    if damage.endswith(b"\n"):
        path.write_bytes(damage + intact)
        assert [intent.target for intent in read_intents(os.open(path, os.O_RDONLY))] == ["b.png"]


def test_line_after_one_that_was_cut_off_is_read(state):
    """A process can get the number of one that was killed while it wrote."""
    (state / "intents").mkdir()
    (state / "intents" / f"run-{os.getpid()}.jsonl").write_bytes(b'{"target":"a.png","sour')
    log_of(state).add("b.png", SOURCE, "", 2)
    assert [intent.target for intent in read(state)] == ["b.png"]


def test_intents_of_a_run_are_counted_over_its_processes(state):
    log = log_of(state)
    assert log.count("a.png") == 0
    log.add("a.png", SOURCE, "", 1)
    log.add("b.png", SOURCE, "", 1)
    (state / "intents" / "run-1.jsonl").write_bytes(encode_intent(Intent("a.png", SOURCE, "", 1, "run")))
    log_of(state, "other").add("a.png", SOURCE, "", 1)
    assert (log.count("a.png"), log.count("b.png"), log.count("c.png")) == (2, 1, 0)


def test_missing_state_folder_is_not_created(tmp_path):
    with pytest.raises(FileNotFoundError):
        log_of(tmp_path / "out" / ".imgpool").add("a.png", SOURCE, "", 1)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("part", [".imgpool", ".imgpool/intents"])
def test_linked_folder_gets_no_intents(tmp_path, part):
    outside = tmp_path / "outside"
    (outside / "intents").mkdir(parents=True)
    path = tmp_path / "out" / part
    path.parent.mkdir(parents=True)
    path.symlink_to(outside)
    with pytest.raises(Exception, match="is a symbolic link"):
        log_of(tmp_path / "out" / ".imgpool").add("a.png", SOURCE, "", 1)
    assert os.listdir(outside) == ["intents"]
    assert os.listdir(outside / "intents") == []


def test_pipe_in_place_of_the_log_is_refused(state):
    (state / "intents").mkdir()
    os.mkfifo(state / "intents" / f"run-{os.getpid()}.jsonl")
    with pytest.raises(Exception, match="is a named pipe"):
        log_of(state).add("a.png", SOURCE, "", 1)
