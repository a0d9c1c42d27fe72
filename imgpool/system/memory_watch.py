"""How much memory the workers of a run hold, looked at from outside."""

from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread
from typing import Any, Self

LOOK_SECONDS = 0.05
"""Between two looks."""


class MemoryWatch:
    """A context in which a thread looks at the memory of workers, many times a second.

    Attributes
    ----------
    peak, peak_all
        The most bytes that one of them held, and all of them together; what they share counts once.
    """

    def __init__(self) -> None:
        import psutil  # not in the thread: a process that is forked meanwhile could import nothing any more

        self.peak = 0
        self.peak_all = 0
        self._psutil = psutil
        self._processes: dict[int, psutil.Process] = {}
        self._closing = Event()
        self._thread = Thread(target=self._watch, name="watch memory", daemon=True)

    def look_at(self, pid: int) -> None:
        """From now on, at this process too."""
        if pid not in self._processes:
            with suppress(self._psutil.Error):
                self._processes[pid] = self._psutil.Process(pid)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            held = []
            for process in tuple(self._processes.values()):
                with suppress(self._psutil.Error):
                    held.append(process.memory_info())
            self.peak = max(self.peak, *(each.rss for each in held), 0)
            self.peak_all = max(self.peak_all, together(held))


def together(held: Iterable[Any]) -> int:
    """The bytes that processes hold together; what they share with others counts once, where the system tells."""
    held = list(held)
    shared = [getattr(each, "shared", 0) for each in held]
    total: int = sum(each.rss for each in held) - sum(shared) + max(shared, default=0)
    return total
