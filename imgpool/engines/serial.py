"""One task after the other in this process: the reference that every other engine must agree with."""

from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import chain

from imgpool.core.engine import EngineOptions, Function, Initializer
from imgpool.core.task import Result, Task
from imgpool.engines._results import answer
from imgpool.engines.pool.parent.metrics import MetricsCollector
from imgpool.engines.pool.parent.worker_count import WorkerCount
from imgpool.engines.pool.protocol.messages import SetupFailure
from imgpool.engines.pool.worker.stopwatch import Stopwatch
from imgpool.system.processes import import_modules
from imgpool.system.threads import one_thread

__all__ = ["SERIAL"]


class SerialEngine:
    """Runs in this process, without a pool.

    What needs a process of its own is out of its reach: a task that crashes takes the run with it, and
    ``timeout``, ``retries`` and ``memory`` are not enforced. Ctrl-C is no task's failure: it ends the run.
    """

    name = "serial"
    summary = "one image after the other, in this process; no limits on time or memory"

    def run(
        self,
        tasks: Iterable[Task],
        function: Function,
        initializer: Initializer,
        options: EngineOptions,
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, in the order given; see `imgpool.core.engine.Engine.run`."""
        waiting = iter(tasks)
        first = next(waiting, None)
        if first is None:
            return
        meter = MetricsCollector(options, WorkerCount(1, "one after the other, in this process"))
        import_modules(options.preload)
        with one_thread(), closing(Stopwatch()) as watch:
            try:
                state = initializer()
            except (Exception, SystemExit) as error:
                raise SetupFailure.of(error).as_error() from error
            for task in chain([first], waiting):
                if options.should_stop():
                    break
                watch.start()
                result = answer(function, state, task, passing=KeyboardInterrupt)
                meter.add(watch.stop(1, task.size))
                yield result
        meter.tell()


SERIAL = SerialEngine()
