"""An engine for imgpool: threads of one process."""

from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain, islice

from imgpool.plugins import EngineOptions, Function, Initializer, Result, Task, load_state, run_task


class ThreadEngine:
    """Runs tasks in threads, which start faster than processes, for filters that release Python's global lock.

    Threads share one state, so that a model is loaded once. They cannot be killed: `timeout`, `retries` and `memory`
    have no effect.
    """

    name = "threads"
    summary = "threads of one process; no limits on time or memory"

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they finish."""
        remaining = iter(tasks)
        first = next(remaining, None)
        if first is None:
            return  # without loading anything
        state = load_state(initializer)
        remaining = chain([first], remaining)
        pending: set[Future[Result]] = set()
        with ThreadPoolExecutor(options.workers) as pool:
            while not options.should_stop():
                for task in islice(remaining, 2 * options.workers - len(pending)):
                    pending.add(pool.submit(run_task, function, state, task))
                if not pending:
                    return
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
            yield from (future.result() for future in pending)


THREADS = ThreadEngine()
