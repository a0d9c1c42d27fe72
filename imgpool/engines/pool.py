"""Many worker processes, and every task answered exactly once, whatever dies.

The heart is `multiprocessing.Pool.imap_unordered`, in a process of its own that can be thrown away (see
`imgpool.engines._host`)::

    tasks ──▶ ledger ──▶ host with a pool ──▶ answers ──▶ results
                ▲               │
                └── a death ────┘   charge the task that the dead worker had claimed,
                                    and start another host with all that is under way

Neither end holds more than a window of tasks: the ledger forgets what is answered, and takes the next when the host
runs short of them.

Where the engine may choose its workers, it may end a host in good order and go on with another that has more of them:
that costs a tenth of a second, once or twice in a run, and no task is charged.
"""

import multiprocessing
import pickle
from collections.abc import Generator, Iterable, Sequence

from imgpool.core.engine import EngineOptions, Function, Initializer, StartMethod
from imgpool.core.task import Result, Task
from imgpool.engines._claims import SLOTS
from imgpool.engines._crew import first_crew
from imgpool.engines._host import Order
from imgpool.engines._host_process import HostProcess
from imgpool.engines._ledger import Ledger
from imgpool.engines._messages import Answers, Collapse, Command, Death, SetupFailure
from imgpool.engines._pace import Meter
from imgpool.engines._tuning import LONGEST, Load
from imgpool.engines._worker import Rules

__all__ = ["POOL"]

SUPPLY = 3  # times the tasks that can be in chunks under way


class PoolEngine:
    """Runs in worker processes that share nothing.

    The workers are set up once each, use one thread each, leave signals to this process and never outlive it. With
    ``start_method="forkserver"`` the host comes from the fork server and its workers are forked from the host,
    which has one thread and has imported ``preload``; the first host may have been waiting since before there was
    anything to run (`imgpool.engines._early_host`). With "spawn" all are fresh interpreters.

    A task's ``attempt`` counts how often it was charged with a worker's end; a run cut short because another
    task took the pool with it does not count.
    """

    name = "pool"
    summary = "on all cores: multiprocessing.Pool, supervised"

    def run(
        self, tasks: Iterable[Task], function: Function, initializer: Initializer, options: EngineOptions
    ) -> Generator[Result, None, None]:
        """Yield one result for every task, as they are finished; see `imgpool.core.engine.Engine.run`.

        Raises
        ------
        WorkerError
            If `initializer` raises, or workers die again and again without finishing anything.
        """
        payload = pickle.dumps((function, initializer))
        meter = Meter(options, first_crew(options, _load(tasks)))
        ledger = Ledger(tasks, options, _window(options, meter.crew.workers))
        start_method = _known(options.start_method)
        while not options.stopping() and (batch := ledger.begin_round()):
            order = _order(options, payload, start_method, min(meter.crew.workers, batch.count))
            with HostProcess(order, start_method) as host:
                host.send(batch)
                yield from _attend(host, ledger, meter, options)
            ledger.end_round()
            ledger.window = _window(options, meter.crew.workers)
            meter.begin_round()
        meter.tell()


def _attend(host: HostProcess, ledger: Ledger, meter: Meter, options: EngineOptions) -> Generator[Result, None, None]:
    """Take in what the host tells and give it more to do, to its end, or till other workers are to go on."""
    stopping = False
    for message in host.messages():
        if isinstance(message, SetupFailure):
            raise message.as_error()
        if isinstance(message, Death):
            yield from ledger.enter_death(message)
        elif isinstance(message, Collapse):
            yield from ledger.enter_collapse(message)
        elif isinstance(message, Answers):
            meter.add(message.timing, message.choice)
            yield from ledger.enter_results(message.results)
        if not stopping and (options.stopping() or _is_replaced(ledger, meter)):
            stopping = True
            host.send(Command.STOP)
        if not stopping and (more := ledger.refill()) is not None:
            host.send(more)


def _is_replaced(ledger: Ledger, meter: Meter) -> bool:
    """Whether other workers are to go on with what is left."""
    if not meter.due() or (crew := meter.next_crew(ledger.left)) is None:
        return False
    meter.replace(crew)
    return True


def _load(tasks: Iterable[Task]) -> Load | None:
    return Load.of(tasks) if isinstance(tasks, Sequence) else None


def _window(options: EngineOptions, workers: int) -> int:
    return SUPPLY * SLOTS * workers * (options.chunksize or LONGEST)


def _order(options: EngineOptions, payload: bytes, start_method: StartMethod, workers: int) -> Order:
    return Order(
        rules=Rules(
            workers=workers,
            payload=payload,
            timeout=options.timeout,
            timeout_per_byte=options.timeout_per_byte,
            memory=options.memory,
        ),
        chunksize=options.chunksize,
        preload=() if start_method == "spawn" else options.preload,
        start_method="spawn" if start_method == "spawn" else "fork",
    )


def _known(start_method: StartMethod) -> StartMethod:
    """The start method, or the only one that every system has."""
    return start_method if start_method in multiprocessing.get_all_start_methods() else "spawn"


POOL = PoolEngine()
