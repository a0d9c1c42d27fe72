"""Every service of `imgpool.system` where the system lacks what it needs: the attributes are removed."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from types import SimpleNamespace

import pytest

from imgpool.system import durability, files, job_objects, memory, memory_limit, process_identity, signals
from imgpool.system.console import ctrl_c_ignored
from imgpool.system.folder import Folder
from imgpool.system.heap import keep_freed_memory
from imgpool.system.job_objects import KILL_ON_CLOSE, LIMIT_PROCESS_MEMORY, JobLimits, JobObject
from imgpool.system.memory import MemoryUse, memory_use, peak_memory, reset_peak_memory
from imgpool.system.memory_limit import MemoryLimit
from imgpool.system.processes import exit_reason
from imgpool.system.queued_time import QueuedTime
from imgpool.system.resources import available_cpus
from imgpool.system.start_methods import fork_is_safe, max_pool_workers, supported_start_method

MIB = 1 << 20


@pytest.fixture
def lacking(monkeypatch):
    """Remove attributes of a module, or make the import of a module fail."""

    def remove(module, *names):
        if isinstance(module, str):
            monkeypatch.setitem(sys.modules, module, None)
        for name in names:
            monkeypatch.delattr(module, name, raising=False)

    return remove


def forget():
    """Forget what the modules have found out about the system."""
    for cached in (durability._sync_function, durability._full_sync_function):
        cached.cache_clear()
    for cached in (job_objects._group_job, job_objects._memory_job):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def uncached():
    """Let each test find out anew what the system offers, and keep nothing of it."""
    forget()
    yield
    forget()


class Library:
    """A library of the system that records how it is called, and returns the same to every call."""

    def __init__(self, returns=0, *names):
        self.calls = []
        self._returns, self._names = returns, names

    def __getattr__(self, name):
        if name.startswith("__") or (self._names and name not in self._names):
            raise AttributeError(name)

        def function(*arguments):
            self.calls.append((name, *(getattr(each, "value", each) for each in arguments)))
            return self._returns

        self.__dict__[name] = function
        return function


def test_start_methods_that_are_missing_become_spawn(monkeypatch):
    assert supported_start_method("forkserver", "linux") == "forkserver"
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert supported_start_method("forkserver") == supported_start_method("fork") == "spawn"
    assert not fork_is_safe("linux")


def test_macos_uses_no_fork_server():
    assert supported_start_method("forkserver", "darwin") == "spawn"
    assert supported_start_method("fork", "darwin") == "fork"
    assert not fork_is_safe("darwin")


def test_only_a_process_with_one_thread_is_forked(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert fork_is_safe("linux")
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not fork_is_safe("linux")


def test_pool_is_limited_to_what_windows_can_wait_for():
    assert max_pool_workers("win32") + 2 < 63
    assert max_pool_workers("linux") > 10_000


def test_queued_time_is_zero_where_it_is_unknown(lacking, tmp_path):
    absent = QueuedTime(str(tmp_path / "no such file"))
    assert absent.seconds == 0.0
    absent.close()
    lacking(os, "pread")
    unreadable = QueuedTime()
    assert unreadable.seconds == 0.0
    unreadable.close()


def test_cpus_are_counted_without_affinity(lacking):
    lacking(os, "sched_getaffinity")
    assert 1 <= available_cpus() <= os.cpu_count()


def test_hang_up_is_no_error_where_there_is_none(lacking):
    lacking(signal, "SIGHUP")
    signals.ignore_hang_up()


def test_main_thread_gets_a_signal_without_pthread_kill(lacking):
    received = []
    lacking(signal, "pthread_kill")
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        thread = threading.Thread(target=signals.signal_main_thread, args=(signal.SIGTERM,))
        thread.start()
        thread.join()
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ctrl_break_ends_a_command_like_sigterm(monkeypatch):
    monkeypatch.setattr(signals, "BREAK", 21)
    assert [signals.exit_code(number) for number in (signal.SIGINT, signal.SIGTERM, 21)] == [130, 143, 143]


def test_ctrl_c_is_ignored_only_while_a_process_starts():
    kernel32 = Library(1)
    with ctrl_c_ignored(kernel32):
        assert kernel32.calls == [("SetConsoleCtrlHandler", None, True)]
    assert kernel32.calls[1:] == [("SetConsoleCtrlHandler", None, False)]
    with ctrl_c_ignored():  # without such a library nothing happens
        pass


@pytest.mark.parametrize(
    ("exitcode", "reason"),
    [(0xC0000005, "SIGSEGV"), (0xC0000374, "SIGABRT"), (0xC0000017, "SIGKILL"), (-15, "SIGTERM"), (1, "exit code 1")],
)
def test_exit_codes_of_windows_have_the_names_of_signals(exitcode, reason):
    assert exit_reason(exitcode) == reason


def test_memory_is_measured_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_PROC_SELF", tmp_path / "none")
    use = memory_use()
    assert MIB < use.current <= use.peak
    reset_peak_memory()


def test_peak_memory_is_unknown_without_the_module(lacking, monkeypatch):
    lacking("resource")
    assert peak_memory() == peak_memory(of_children=True) == 0
    monkeypatch.setattr(memory, "_PROC_SELF", SimpleNamespace(__truediv__=None))
    assert memory._memory_use_by_psutil() >= MemoryUse(MIB, MIB)


def test_address_space_is_known_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(memory_limit, "_PROC_STATM", tmp_path / "none")
    assert memory_limit._address_space() > MIB


def test_memory_is_limited_by_a_job_object_without_rlimit(lacking, monkeypatch):
    limited = []
    lacking("resource")
    monkeypatch.setattr(memory_limit, "limit_own_memory", limited.append)
    limit = MemoryLimit(800 * MIB)
    limit.set(500 * MIB)
    limit.set(None)
    assert limited[1] - limited[0] == 300 * MIB


def test_process_start_time_needs_no_sysconf(lacking):
    expected = process_identity.own_start_time()
    lacking(os, "sysconf")
    assert process_identity.own_start_time() == pytest.approx(expected, abs=0.02)


def test_freed_memory_is_kept_only_with_glibc(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    keep_freed_memory()


# --- durability


def test_macos_syncs_the_volume_and_waits(monkeypatch):
    library = Library(0, "fsync_volume_np")
    monkeypatch.setattr(durability, "_c_library", lambda: library)
    durability.sync_file_system(7)
    assert library.calls == [("fsync_volume_np", 7, 3)]
    assert durability.can_sync_file_system()


def test_failed_sync_of_a_volume_is_an_error(monkeypatch):
    monkeypatch.setattr(durability, "_c_library", lambda: Library(-1, "fsync_volume_np"))
    with pytest.raises(OSError):  # noqa: PT011 - the number is that of the last failed call, whatever it was
        durability.sync_file_system(7)


@pytest.mark.parametrize("refusal", [TypeError("bad argument type"), OSError("no such library")])
def test_without_a_c_library_no_file_system_is_synced(monkeypatch, refusal):
    def load(*_arguments, **_options):
        raise refusal

    monkeypatch.setattr(ctypes, "CDLL", load)
    durability.sync_file_system(2**20)
    assert not durability.can_sync_file_system()


def test_macos_syncs_files_to_the_disk_itself(monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    commands, synced = [], []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, command: commands.append((descriptor, command)))
    monkeypatch.setattr(os, "fsync", synced.append)
    durability.sync_file(5)
    assert (commands, synced) == ([(5, 51)], [])

    def refuse(*_arguments):
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(fcntl, "fcntl", refuse)  # as on a network share
    durability._full_sync_function.cache_clear()
    durability.sync_file(6)
    assert synced == [6]


def test_files_are_synced_without_fcntl(lacking, monkeypatch):
    synced = []
    lacking("fcntl")
    monkeypatch.setattr(os, "fsync", synced.append)
    durability.sync_file(5)
    assert synced == [5]


def test_macos_syncs_folders_to_the_disk_itself(monkeypatch, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    commands = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _, command: commands.append(command))
    with Folder.open(tmp_path) as folder:
        folder.sync()
    assert commands == [51]


# --- job objects


def test_structure_of_limits_has_the_size_that_windows_expects():
    assert ctypes.sizeof(JobLimits) == (144 if ctypes.sizeof(ctypes.c_void_p) == 8 else 112)
    assert JobLimits.flags.offset == 16
    assert JobLimits.process_memory.offset == (112 if ctypes.sizeof(ctypes.c_void_p) == 8 else 96)


def test_job_object_holds_this_process_and_its_limits():
    kernel32 = Library(42)
    job = JobObject(kernel32)
    job.limit(KILL_ON_CLOSE)
    job.limit(LIMIT_PROCESS_MEMORY, 500 * MIB)
    names = [call[0] for call in kernel32.calls]
    assert names[:3] == ["CreateJobObjectW", "GetCurrentProcess", "AssignProcessToJobObject"]
    assert names[3:] == ["SetInformationJobObject"] * 2
    assert kernel32.calls[2][1:] == (42, 42)
    assert kernel32.calls[3][1:3] == (42, 9)


def test_refused_job_object_is_no_error(monkeypatch):
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: Library(0), raising=False)
    assert not job_objects.end_children_with_this_process()
    assert not job_objects.limit_own_memory(MIB)


def test_job_objects_serve_where_windows_has_them(monkeypatch):
    kernel32 = Library(1)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel32, raising=False)
    assert job_objects.end_children_with_this_process()
    assert job_objects.limit_own_memory(MIB)
    assert job_objects.limit_own_memory(2 * MIB)
    assert [name for name, *_ in kernel32.calls].count("CreateJobObjectW") == 2


def test_other_systems_have_no_job_objects():
    if hasattr(ctypes, "WinDLL"):
        pytest.skip("this is Windows")
    assert not job_objects.end_children_with_this_process()


# --- files


def test_binary_flag_is_used_where_there_is_one(monkeypatch, tmp_path):
    flags = []
    monkeypatch.setattr(files, "BINARY", 0x8000)
    monkeypatch.setattr(os, "open", lambda _path, flag, *_: flags.append(flag))
    files.open_binary(tmp_path / "a", os.O_RDONLY)
    files.open_without_blocking(str(tmp_path / "a"), os.O_RDONLY)
    assert all(flag & 0x8000 for flag in flags)


def test_open_files_are_counted_only_where_they_are_listed(tmp_path):
    assert files.count_open_files(str(tmp_path / "none")) is None


def test_folder_with_an_open_file_is_removed_once_it_is_closed(monkeypatch, tmp_path):
    """Windows removes no open file; what else is in the folder is removed at once."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    for name in ("open", "closed"):
        (folder / name).touch()
    closed, unlink, waited = threading.Event(), os.unlink, []

    def refuse_open_file(path, *arguments, **options):
        if os.path.basename(path) == "open" and not closed.is_set():
            raise PermissionError(13, "Permission denied", path)
        unlink(path, *arguments, **options)

    def sleep(seconds):
        assert os.listdir(folder) == ["open"]
        waited.append(seconds)
        if len(waited) == 3:
            closed.set()

    monkeypatch.setattr(os, "unlink", refuse_open_file)
    assert not files.remove_folder(folder, timeout=0)
    assert files.remove_folder(folder, timeout=10, sleep=sleep)
    assert len(waited) == 3
    assert files.remove_folder(folder)


@pytest.mark.parametrize(("whole", "synced"), [(True, 0), (False, 1)])
def test_finished_file_is_synced_where_no_file_system_is(monkeypatch, tmp_path, whole, synced):
    descriptors = []
    path = tmp_path / "finished"
    path.touch()
    monkeypatch.setattr(durability, "can_sync_file_system", lambda: whole)
    monkeypatch.setattr(durability, "sync_file", descriptors.append)
    durability.sync_single_file(str(path))
    assert len(descriptors) == synced
