"""What the workers of a pool are handed next, and when."""

from collections import deque

from imgpool.engines._admission import Admission, Grant
from imgpool.engines._chunks import Backlog
from imgpool.engines._claims import SLOTS
from imgpool.engines._messages import Answers, Batch, Chunk, Command, Numbered, Ticket


class Desk:
    """Takes in tasks and hands them out as chunks, each when there is a slot and memory for it.

    Parameters
    ----------
    workers, chunksize, memory
        As in `imgpool.core.engine.EngineOptions`.
    """

    def __init__(self, workers: int, chunksize: int | None, memory: int | None) -> None:
        self._backlog = Backlog(workers, chunksize)
        self._suspects: deque[Numbered] = deque()
        self._admission: Admission[Numbered] = Admission(memory, workers, SLOTS * workers)
        self._stopped = False

    @property
    def finished(self) -> bool:
        """Whether nothing will ever be handed out any more."""
        if self._stopped:
            return True
        return self._backlog.complete and not (self._backlog or self._suspects or self._admission.busy)

    def take(self, event: Batch | Answers | Command) -> None:
        """Take in tasks, a chunk that is back, or the command to stop."""
        if isinstance(event, Batch):
            self._backlog.add(event.tasks)
            self._suspects.extend(event.suspects)
            for loner in event.loners:
                self._admission.isolate(loner)
            self._backlog.complete = event.last
        elif isinstance(event, Answers):
            self._admission.release(event.slot, event.deferred)
            self._backlog.put_back(event.rest)
        else:
            self._stopped = True

    def next(self) -> Ticket | None:
        """What to hand out now; None if that is nothing before the next event."""
        if self.finished:
            return None
        grant = self._admission.place(fresh=self._backlog.ready or self._suspects_turn)
        return self._ticket(grant) if grant else None

    @property
    def _suspects_turn(self) -> bool:
        return bool(self._backlog.complete and not self._backlog and self._suspects)

    def _ticket(self, grant: Grant[Numbered]) -> Ticket:
        chunk: Chunk
        if grant.item is not None:
            chunk = (grant.item,)
        elif self._suspects_turn:
            chunk = (self._suspects.popleft(),)
        else:
            chunk = self._backlog.cut()
        return Ticket(grant.slot, grant.allowance, chunk)
