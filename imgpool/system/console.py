"""The console of Windows, which sends Ctrl-C to every process that uses it."""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def ctrl_c_ignored(kernel32: Any = None) -> Iterator[None]:  # noqa: ANN401 - as in `imgpool.system.job_objects`
    """Let processes that are started in this context ignore Ctrl-C from their first instruction on.

    They inherit that from this process, which ignores Ctrl-C within the context too: a context should be short. Other
    systems block signals instead.

    Parameters
    ----------
    kernel32
        Windows' library with the function; by default that of this system, if it has one.
    """
    if kernel32 is None and (library := getattr(ctypes, "WinDLL", None)):
        kernel32 = library("kernel32")
    if kernel32 is None:
        yield
        return
    kernel32.SetConsoleCtrlHandler(None, True)  # noqa: FBT003 - a function of Windows takes it by position only
    try:
        yield
    finally:
        kernel32.SetConsoleCtrlHandler(None, False)  # noqa: FBT003 - as above
