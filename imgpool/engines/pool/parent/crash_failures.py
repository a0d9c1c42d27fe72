"""What to tell of a task that has cost its worker's life too often."""

from imgpool.core.engine import EngineOptions
from imgpool.core.task import Failure, Task
from imgpool.engines.pool.protocol.messages import WorkerDied

_CRASHES = {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"}


def failure(death: WorkerDied, task: Task, options: EngineOptions) -> Failure:
    """The failure of a task whose worker died, or was killed for its time."""
    return Failure("worker", death.error, *_sentence(death, task, options))


def _sentence(death: WorkerDied, task: Task, options: EngineOptions) -> tuple[str, str]:
    """Message and hint."""
    if death.error == "TimeoutError":
        seconds = (options.timeout or 0) + options.timeout_per_byte * task.size
        return f"not done after {seconds:,.4g} s", "give it more time with --timeout"
    if death.error == "SIGKILL":
        peak = f" (peak RSS {death.peak / 1e9:.1f} GB)" if death.peak else ""
        return (
            f"its worker was killed (SIGKILL), probably out of memory{peak}",
            "use fewer workers (-j), or set --max-memory to what the machine can spare",
        )
    if death.error in _CRASHES:
        return (
            f"a library crashed on this image ({death.error})",
            "the file may be damaged: see if another program opens it",
        )
    return f"the worker ended ({death.error}) while it had this image in hand", ""
