"""Two steps that every engine takes, for authors of engines."""

from imgpool.core.engine import Function, Initializer, MemoryNeeded
from imgpool.core.task import Result, Task
from imgpool.engines._results import answer
from imgpool.engines.pool.protocol.messages import SetupFailure


def load_state(initializer: Initializer) -> object:
    """Call an engine's initializer and return the state that it loads.

    Raises
    ------
    WorkerError
        If the initializer raises anything, with its message and hint.
    """
    try:
        return initializer()
    except (Exception, SystemExit) as error:
        raise SetupFailure.of(error).as_error() from error


def run_task(function: Function, state: object, task: Task, memory: int | None = None) -> Result:
    """Run one task and return its result: a failed one if the function raises.

    Parameters
    ----------
    function, state, task
        Called as ``function(state, task, memory)``.
    memory
        Bytes that the task may take; None for no limit.

    Raises
    ------
    MemoryNeeded
        If the task needs more than `memory`; never where that is None.
    KeyboardInterrupt
        If Ctrl-C arrives meanwhile: it ends the run, not the task.
    """
    return answer(function, state, task, memory, passing=(MemoryNeeded, KeyboardInterrupt))
