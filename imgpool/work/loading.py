"""Load the filters of a recipe, once per process, and record what the heavy ones cost."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from imgpool.core.errors import WorkerError
from imgpool.core.filter import LoadedFilter
from imgpool.core.recipe import Recipe
from imgpool.core.step import Step
from imgpool.system.files import open_binary
from imgpool.system.memory import memory_use
from imgpool.system.paths import openable


class StepLoad(NamedTuple):
    """What it cost one process to load one heavy step.

    Attributes
    ----------
    step
        Position of the step in the recipe, from 0.
    pid
        The process.
    seconds
        Time.
    memory
        Additional memory of the process, in bytes.
    """

    step: int
    pid: int
    seconds: float
    memory: int


def load_filters(recipe: Recipe, on_load: Callable[[StepLoad], object]) -> tuple[LoadedFilter, ...]:
    """Load every filter of a recipe, in order.

    Parameters
    ----------
    recipe
        The recipe.
    on_load
        Called after each heavy step.
    """

    def load_and_report(number: int, step: Step) -> LoadedFilter:
        filter_, load = load_measured(number, step)
        on_load(load)
        return filter_

    return tuple(
        load_and_report(number, step) if step.heavy else step.load() for number, step in enumerate(recipe.steps)
    )


def load_measured(number: int, step: Step) -> tuple[LoadedFilter, StepLoad]:
    """Load a step of a recipe, and measure time and memory; `number` is its position."""
    before = memory_use().current
    started = time.perf_counter()
    filter_ = step.load()
    seconds = time.perf_counter() - started
    after = memory_use().current
    return filter_, StepLoad(number, os.getpid(), round(seconds, 6), max(0, after - before))


def check_unchanged(recipe: Recipe, provenance: Sequence[Mapping[str, Any]] | None) -> None:
    """Raise `WorkerError` if a file or model of a step has changed since the run was planned.

    Parameters
    ----------
    recipe
        The recipe.
    provenance
        Of each step when the run was planned; None to accept any.
    """
    for step, expected in zip(recipe.steps, provenance or (), strict=provenance is not None):
        current = step.provenance
        for parameter, value in expected.items():
            if current.get(parameter) != value:
                raise WorkerError(
                    f"the step {step.filter}: {step.values[parameter]} ({parameter}) has changed since the run began",
                    "run the same command again",
                )


class LoadLog:
    """Log file of the heavy steps that the processes of a run load; it survives the death of a process.

    Parameters
    ----------
    scratch
        Folder that belongs to this run alone.
    """

    def __init__(self, scratch: str) -> None:
        self._path = Path(openable(os.path.join(scratch, "loads.jsonl")))

    def add(self, load: StepLoad) -> None:
        """Append a line in one write; if the disk is full, the line is missing."""
        with suppress(OSError):
            descriptor = open_binary(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                os.write(descriptor, json.dumps(load._asdict()).encode() + b"\n")
            finally:
                os.close(descriptor)

    def read(self) -> tuple[StepLoad, ...]:
        """Return all entries; incomplete lines are skipped."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return ()
        return tuple(_parse(lines))


def _parse(lines: Iterable[bytes]) -> Iterator[StepLoad]:
    for line in lines:
        with suppress(ValueError, TypeError):
            fields: dict[str, Any] = json.loads(line)
            yield StepLoad(**fields)
