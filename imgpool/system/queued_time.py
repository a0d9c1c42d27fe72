"""The time that a process was ready to compute while no processor was free."""

import os
from contextlib import suppress

SCHEDSTAT = "/proc/self/schedstat"
"""Linux's record of how long the process's first thread has run and has been queued, in nanoseconds."""


class QueuedTime:
    """The time for which this process has waited for a processor. Only Linux reports it; elsewhere it is 0.

    Parameters
    ----------
    path
        The record to read.
    """

    def __init__(self, path: str = SCHEDSTAT) -> None:
        self._descriptor: int | None = None
        if hasattr(os, "pread"):
            with suppress(OSError):
                self._descriptor = os.open(path, os.O_RDONLY)

    @property
    def seconds(self) -> float:
        """Seconds that it has waited since it was started."""
        if self._descriptor is None:
            return 0.0
        return int(os.pread(self._descriptor, 64, 0).split()[1]) / 1e9

    def close(self) -> None:
        """Close the record."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
