"""Imported by the fork server of multiprocessing before anything else: it ends without a traceback if a fork fails.

The parent process notices that the server has ended, and reports it.
"""

import sys
from types import TracebackType


def _ignore_system_errors(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, OSError):
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _ignore_system_errors
