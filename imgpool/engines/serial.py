"""Serial engine: one task after another in this process. It is the reference that all other engines must match."""

from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import chain

from imgpool.core.engine import EngineOptions, Function, Initializer
from imgpool.core.task import Result, Task
from imgpool.engines.shared.metrics import MetricsCollector
from imgpool.engines.shared.results import load_state, run_task
from imgpool.engines.shared.timing import Stopwatch
from imgpool.system.child_process import import_modules
from imgpool.system.threads import one_thread

__all__ = ["SERIAL"]

REASON = "1 worker: one task after another, in this process"


class SerialEngine:
    """Runs all tasks in this process.

    What requires a separate process is not available: a task that crashes ends the run, and ``timeout``, ``retries``
    and ``memory`` have no effect. Ctrl-C ends the run instead of failing a task.
    """

    name = "serial"
    summary = "one task after another, in this process; no limits on time or memory"

    def run(
        self,
        tasks: Iterable[Task],
        function: Function,
        initializer: Initializer,
        options: EngineOptions,
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, in the order given; see `imgpool.core.engine.Engine.run`."""
        remaining = iter(tasks)
        first = next(remaining, None)
        if first is None:
            return
        collector = MetricsCollector()
        import_modules(options.preload)
        with one_thread(), closing(Stopwatch()) as stopwatch:
            state = load_state(initializer)
            for task in chain([first], remaining):
                if options.should_stop():
                    break
                stopwatch.start()
                result = run_task(function, state, task)
                collector.add(stopwatch.stop(1, task.size))
                yield result
        options.on_metrics(collector.metrics(1, REASON))


SERIAL = SerialEngine()
