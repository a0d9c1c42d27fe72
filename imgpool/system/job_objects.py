"""Job objects of Windows: they end a group of processes together, and limit the memory of a process.

A process that is in a job object passes it on to every process that it starts. Windows ends all processes of a job
object when its last handle is closed, if asked to do so. Only the process that created the job object has a handle to
it, so its children end when it ends, however it ends.

The functions of this module do nothing on other systems, which have process groups and ``RLIMIT_AS`` instead.
"""

import ctypes
import functools
from collections.abc import Callable
from ctypes import c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

EXTENDED_LIMIT_INFORMATION = 9  # JobObjectExtendedLimitInformation
LIMIT_PROCESS_MEMORY = 0x100  # JOB_OBJECT_LIMIT_PROCESS_MEMORY
KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE


class JobLimits(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION`` of <winnt.h>, without the names of what is not used."""

    _fields_ = (
        ("process_user_time", c_int64),
        ("job_user_time", c_int64),
        ("flags", c_uint32),
        ("min_working_set", c_size_t),
        ("max_working_set", c_size_t),
        ("active_processes", c_uint32),
        ("affinity", c_size_t),
        ("priority_class", c_uint32),
        ("scheduling_class", c_uint32),
        ("io_counters", c_uint64 * 6),
        ("process_memory", c_size_t),
        ("job_memory", c_size_t),
        ("peak_process_memory", c_size_t),
        ("peak_job_memory", c_size_t),
    )


class JobObject:
    """A job object that this process belongs to from now on.

    Parameters
    ----------
    kernel32
        Windows' library with the functions.

    Raises
    ------
    OSError
        If Windows refuses it.
    """

    def __init__(self, kernel32: Any) -> None:  # noqa: ANN401 - ctypes finds its functions only when they are called
        for function in (kernel32.CreateJobObjectW, kernel32.GetCurrentProcess):
            function.restype = c_void_p
        self._kernel32 = kernel32
        self._handle = c_void_p(_checked(kernel32.CreateJobObjectW(None, None)))
        _checked(kernel32.AssignProcessToJobObject(self._handle, c_void_p(kernel32.GetCurrentProcess())))

    def limit(self, flags: int, process_memory: int = 0) -> None:
        """Set the limits; they replace those set before.

        Parameters
        ----------
        flags
            `KILL_ON_CLOSE` or `LIMIT_PROCESS_MEMORY`.
        process_memory
            Bytes that each process may allocate.
        """
        limits = JobLimits(flags=flags, process_memory=process_memory)
        _checked(
            self._kernel32.SetInformationJobObject(
                self._handle, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
            )
        )


def end_children_with_this_process() -> bool:
    """On Windows: end every process that this one starts when it ends; return whether that works."""
    return _limit(_group_job, KILL_ON_CLOSE)


def limit_own_memory(nbytes: int) -> bool:
    """On Windows: let allocations fail beyond a number of bytes; return whether that works."""
    return _limit(_memory_job, LIMIT_PROCESS_MEMORY, nbytes)


def _limit(create: Callable[[], JobObject | None], flags: int, process_memory: int = 0) -> bool:
    try:
        job = create()
        if job is not None:
            job.limit(flags, process_memory)
    except OSError:
        return False
    return job is not None


@functools.cache
def _group_job() -> JobObject | None:
    return _new_job()


@functools.cache
def _memory_job() -> JobObject | None:
    return _new_job()


def _new_job() -> JobObject | None:
    library = getattr(ctypes, "WinDLL", None)
    return JobObject(library("kernel32", use_last_error=True)) if library else None


def _checked(result: int | None) -> int:
    """Return what a function of Windows has returned; raise `OSError` if it failed."""
    if not result:
        code = ctypes.get_last_error() if hasattr(ctypes, "get_last_error") else 0
        raise OSError(code, "Windows refuses a job object")
    return result
