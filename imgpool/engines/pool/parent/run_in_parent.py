"""Running the rest of the tasks in this process, where the system does not let even one worker start."""

from collections.abc import Generator
from contextlib import closing

from imgpool.core.engine import EngineOptions, Function, Initializer
from imgpool.core.task import Result
from imgpool.engines.pool.parent.run_monitor import RunMonitor
from imgpool.engines.pool.parent.task_tracker import TaskTracker
from imgpool.engines.shared.results import load_state, pickle_results, run_task
from imgpool.engines.shared.timing import Stopwatch
from imgpool.system.child_process import import_modules
from imgpool.system.threads import one_thread


def run_in_parent(
    tracker: TaskTracker, function: Function, initializer: Initializer, options: EngineOptions, monitor: RunMonitor
) -> Generator[Result, None, None]:
    """Yield one result for every task that is left, one after another. Tasks that have killed a worker fail.

    Raises
    ------
    WorkerError
        If `initializer` raises.
    """
    import_modules(options.preload)
    with one_thread(), closing(Stopwatch()) as stopwatch:
        state = load_state(initializer)
        while not options.should_stop() and (batch := tracker.start_round()):
            yield from tracker.fail_suspects()
            for index, task in (*batch.tasks, *batch.suspects, *batch.run_alone):
                if options.should_stop() or not tracker.is_under_way(index):
                    continue
                stopwatch.start()
                result = run_task(function, state, task)
                monitor.add(stopwatch.stop(1, task.size))
                yield from tracker.record_results(pickle_results([(index, result)]))
            tracker.end_round()
