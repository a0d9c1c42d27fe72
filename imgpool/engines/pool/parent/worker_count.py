"""How many workers a run gets, and why: from what is known before it starts, and from what is measured as it goes."""

import math
from dataclasses import dataclass

from imgpool.core.engine import EngineOptions
from imgpool.engines.pool.host.chunk_length import Load

START_SECONDS = 0.02
"""What another worker costs: the fork, and its own copy of what it writes to."""

GUESS = (0.001, 20e-9)
"""Seconds that a task takes, and for each byte of its file, as long as none was done: more than most take."""

WAITING = 0.4
"""The part of the tasks' time from which on waiting for disk or network is worth more workers."""

BUSY = 0.5
"""The part of their time below which workers wait for something else (memory, or whoever takes the results)."""

FASTER = 1.1
"""Times as fast a run must have become with more workers that it gets still more."""

WORTH = 3.0
"""Times what starting anew costs it must save."""


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """So many workers, and the reason for it in a few words."""

    workers: int
    why: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What was measured since the last workers were started.

    Attributes
    ----------
    crew
        Who works.
    task_seconds
        What a task takes, on the average.
    waiting
        The part of the tasks' time in which they waited for disk or network.
    busy
        The part of the workers' time in which they had a task.
    left
        The time that all tasks that are not done would take one after the other; may be infinite.
    tasks_left
        Their number; None if that is not known.
    start_seconds
        What it took from the start of the workers to their first task.
    speed, former_speed
        Tasks in a second, now and with the workers before; the latter is 0 if there were none.
    """

    crew: WorkerCount
    task_seconds: float
    waiting: float
    busy: float
    left: float
    tasks_left: int | None
    start_seconds: float
    speed: float
    former_speed: float = 0.0


def initial_workers(options: EngineOptions, load: Load | None) -> WorkerCount:
    """The workers that a run begins with.

    Parameters
    ----------
    load
        All that is to be done; None if that is not known.
    """
    tasks = options.workers if load is None else load.tasks
    worth = options.workers if load is None or options.max_workers is None else _worth(load)
    if tasks < options.workers and tasks <= worth:
        return WorkerCount(max(1, tasks), "there are no more images")
    if worth < options.workers:
        return WorkerCount(max(1, worth), "starting more would take longer than the work")
    return _usual(options)


def _worth(load: Load) -> int:
    """As many workers as have more to do than it takes to start them."""
    start, slope = GUESS
    return math.ceil((start * load.tasks + slope * load.nbytes) / START_SECONDS)


def next_crew(now: Progress, options: EngineOptions) -> WorkerCount | None:
    """The workers to go on with; None if those there are do well.

    More than there are processors where tasks mostly wait for disk or network, as many as keep the processors busy;
    but only as long as more are faster.
    """
    crew = _wanted(now, options)
    if crew is None or crew.workers <= now.crew.workers:
        return None
    saved = now.left * (1 / now.crew.workers - 1 / crew.workers)
    return crew if saved > WORTH * (now.start_seconds + now.task_seconds) else None


def _wanted(now: Progress, options: EngineOptions) -> WorkerCount | None:
    if options.max_workers is None:
        return None
    most = options.max_workers if now.tasks_left is None else min(options.max_workers, now.tasks_left)
    if now.crew.workers < options.workers:
        return WorkerCount(min(options.workers, most), _usual(options).why)
    if now.waiting < WAITING or now.busy < BUSY or now.speed < FASTER * now.former_speed:
        return None
    busy = math.ceil(options.workers / max(1 - now.waiting, 0.01))
    return WorkerCount(min(busy, most), f"images wait for disk or network {now.waiting:.0%} of their time")


def _usual(options: EngineOptions) -> WorkerCount:
    return WorkerCount(options.workers, "as set" if options.max_workers is None else "one for each processor")
