"""Imported by the fork server of multiprocessing before anything else: it prints no traceback when a limit ends it.

The parent process notices that the server has ended, and reports it.
"""

import sys
from types import TracebackType


def _print_nothing(_kind: type[BaseException], _error: BaseException, _traceback: TracebackType | None) -> None:
    pass


sys.excepthook = _print_nothing
