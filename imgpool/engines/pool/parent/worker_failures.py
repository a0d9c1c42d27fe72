"""Failure of a task that has killed its worker, or exceeded its time limit, too often."""

from imgpool.core.engine import EngineOptions
from imgpool.core.hint import Hint
from imgpool.core.task import Failure, Task
from imgpool.engines.pool.protocol.messages import WorkerDied

_CRASH_SIGNALS = {"SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"}


def worker_failure(death: WorkerDied, task: Task, options: EngineOptions) -> Failure:
    """Return the failure of a task whose worker died or was killed."""
    return Failure("worker", death.error, *_message_and_hint(death, task, options))


def _message_and_hint(death: WorkerDied, task: Task, options: EngineOptions) -> tuple[str, str]:
    if death.error == "TimeoutError":
        seconds = (options.timeout or 0) + options.timeout_per_byte * task.size
        return f"not done after {seconds:,.4g} s", f"allow more time with {Hint('timeout')}"
    if death.error == "SIGKILL":
        peak = f" (peak memory {death.peak_memory / 1e9:.1f} GB)" if death.peak_memory else ""
        return (
            f"its worker process was killed (SIGKILL), probably because memory ran out{peak}",
            f"use fewer {Hint('workers')}, or set {Hint('max_memory')} to what the machine can spare",
        )
    if death.error in _CRASH_SIGNALS:
        return f"a library crashed ({death.error})", "the file may be damaged: check whether another program opens it"
    return f"its worker process ended unexpectedly ({death.error})", ""
