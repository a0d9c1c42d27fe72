"""Headers are read outside this process, within limits of time and memory; what exceeds them is left to its task."""

import os
import signal
import threading
import time
from functools import partial

import pytest

from imgpool.batch import headers
from imgpool.batch.headers import HeaderReading, read_headers, total_megapixels
from imgpool.core.errors import ReadError
from imgpool.core.task import Task

IN_PROCESS = HeaderReading(own_process=True)
METHODS = ["fork", "forkserver", "spawn"]


@pytest.fixture
def files(tmp_path):
    """Eight files that are named by numbers."""
    for number in range(8):
        (tmp_path / str(number)).write_bytes(b"x")
    return [Task(str(tmp_path / str(number)), "", 1, 0) for number in range(8)]


@pytest.fixture(params=METHODS)
def method(request, monkeypatch):
    monkeypatch.setattr(headers, "quick_start_method", lambda _: request.param)
    return request.param


@pytest.fixture
def fork(monkeypatch):
    monkeypatch.setattr(headers, "quick_start_method", lambda _: "fork")


def number_of(task):
    return int(os.path.basename(task.source))


def pid_of(_task):
    return os.getpid()


def fail(error, at, task):
    if number_of(task) == at:
        raise error
    return number_of(task)


def kill_itself(at, task):
    if number_of(task) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return number_of(task)


def wait_at(at, task):
    if number_of(task) == at:
        time.sleep(1000)
    return number_of(task)


def allocate(at, task):
    return len(bytearray(4 << 30)) if number_of(task) == at else number_of(task)


def read(tasks, examine, reading=HeaderReading()):  # noqa: B008 - frozen
    values = []
    complete = read_headers(tasks, examine, lambda task, value: values.append((number_of(task), value)), reading)
    assert all(number == value for number, value in values)
    return [value for _, value in values], complete


@pytest.mark.usefixtures("method")
def test_every_header_is_read_in_order(files):
    assert read(files, number_of) == (list(range(8)), True)


@pytest.mark.usefixtures("method")
def test_headers_are_read_outside_this_process(files):
    pids = []
    assert read_headers(files, pid_of, lambda _, pid: pids.append(pid), HeaderReading())
    assert os.getpid() not in pids
    assert len(set(pids)) == 1


def test_serial_run_reads_headers_in_its_own_process(files):
    pids = []
    assert read_headers(files, pid_of, lambda _, pid: pids.append(pid), IN_PROCESS)
    assert set(pids) == {os.getpid()}


@pytest.mark.parametrize("reading", [HeaderReading(), IN_PROCESS], ids=["isolated", "own process"])
class TestErrors:
    @pytest.mark.parametrize("error", [ReadError("damaged", ""), PermissionError(13, "denied")], ids=str)
    @pytest.mark.usefixtures("fork")
    def test_unreadable_header_counts_as_read(self, files, reading, error):
        assert read(files, partial(fail, error, 3), reading) == ([0, 1, 2, 4, 5, 6, 7], True)

    @pytest.mark.parametrize("error", [MemoryError(), RuntimeError("fault of a plug-in")], ids=repr)
    @pytest.mark.usefixtures("fork")
    def test_other_errors_leave_the_header_to_its_task(self, files, reading, error):
        assert read(files, partial(fail, error, 3), reading) == ([0, 1, 2, 4, 5, 6, 7], False)

    @pytest.mark.usefixtures("fork")
    def test_pipe_is_not_opened(self, files, reading):
        os.unlink(files[3].source)
        os.mkfifo(files[3].source)
        assert read(files, number_of, reading) == ([0, 1, 2, 4, 5, 6, 7], True)


@pytest.mark.usefixtures("fork")
def test_killed_process_costs_only_the_header_it_was_reading(files):
    for at in (0, 3, 7):
        values, complete = read(files, partial(kill_itself, at))
        assert (values, complete) == ([number for number in range(8) if number != at], False)


@pytest.mark.usefixtures("fork")
def test_header_that_needs_too_much_memory_is_left_out(files):
    assert read(files, partial(allocate, 3)) == ([0, 1, 2, 4, 5, 6, 7], False)


@pytest.mark.usefixtures("fork")
def test_time_for_all_headers_is_limited(files):
    values, complete = read(files, partial(wait_at, 3), HeaderReading(seconds=0.3))
    assert (values, complete) == ([0, 1, 2], False)


@pytest.mark.usefixtures("fork")
def test_time_for_each_header_is_limited_without_a_total(files, monkeypatch):
    monkeypatch.setattr(headers, "HEADER_TIMEOUT_S", 0.3)
    assert read(files, partial(wait_at, 3), HeaderReading(seconds=None)) == ([0, 1, 2, 4, 5, 6, 7], False)


def test_own_process_stops_when_the_time_has_passed(files):
    reading = HeaderReading(seconds=0.0, own_process=True)
    values, complete = read(files, number_of, reading)
    assert not complete
    assert len(values) < len(files)


@pytest.mark.usefixtures("fork")
def test_tasks_are_sent_in_pieces(files, monkeypatch):
    monkeypatch.setattr(headers, "MAX_TASKS_PER_PROCESS", 3)
    assert read(files, number_of) == (list(range(8)), True)


def test_no_process_means_no_header_is_read(files, monkeypatch):
    def refuse(*_, **__):
        raise headers.WorkerError("no process can be started", "")

    monkeypatch.setattr(headers, "call_isolated", refuse)
    assert read(files, number_of) == ([], False)


def test_process_with_threads_is_not_forked():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert headers.quick_start_method("forkserver") != "fork"
    finally:
        stop.set()
        thread.join()


def test_megapixels_come_from_the_headers(tmp_path):
    from tests.support.large_headers import photo

    (tmp_path / "a.png").write_bytes(photo("PNG"))
    (tmp_path / "b.png").write_bytes(b"no picture")
    tasks = [Task(str(tmp_path / name), "", 1, 0) for name in ("a.png", "b.png", "gone.png")]
    assert total_megapixels(tasks, HeaderReading()) == 256e-6
