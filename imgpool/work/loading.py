"""Loading the filters of a recipe, each once; what a heavy one takes is noted where the parent finds it."""

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
from imgpool.system.memory import memory_use


class Load(NamedTuple):
    """One heavy step, loaded by one process.

    Attributes
    ----------
    step
        Its place in the recipe, from 0.
    pid
        The process.
    seconds
        What it took.
    memory
        Bytes that the process holds more since.
    """

    step: int
    pid: int
    seconds: float
    memory: int


def load_filters(recipe: Recipe, note: Callable[[Load], object]) -> tuple[LoadedFilter, ...]:
    """Load every filter of a recipe, in order; `note` is told of each that is heavy."""

    def load_and_note(number: int, step: Step) -> LoadedFilter:
        loaded, load = load_measured(number, step)
        note(load)
        return loaded

    return tuple(load_and_note(number, step) if step.heavy else step.load() for number, step in enumerate(recipe.steps))


def load_measured(number: int, step: Step) -> tuple[LoadedFilter, Load]:
    """Load a step of a recipe, and tell what that took."""
    before = memory_use().current
    started = time.perf_counter()
    loaded = step.load()
    seconds = time.perf_counter() - started
    after = memory_use().current
    return loaded, Load(number, os.getpid(), round(seconds, 6), max(0, after - before))


def check_unchanged(recipe: Recipe, provenance: Sequence[Mapping[str, Any]] | None) -> None:
    """Raise `WorkerError` if a file or model of a step is another than when the run was planned; None is any."""
    for step, expected in zip(recipe.steps, provenance or (), strict=provenance is not None):
        found = step.provenance
        for parameter, value in expected.items():
            if found.get(parameter) != value:
                raise WorkerError(
                    f"the step {step.filter}: {step.values[parameter]} ({parameter}) has changed since the run began",
                    "run the same command again",
                )


class LoadLog:
    """What the processes of a run tell of their loads: a line each in a file, so it stays when a process dies.

    Parameters
    ----------
    scratch
        A folder of this run alone.
    """

    def __init__(self, scratch: str) -> None:
        self._path = Path(scratch, "loads.jsonl")

    def add(self, load: Load) -> None:
        """Add a line, at once and whole; where there is no room for it, a line is missing."""
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, json.dumps(load._asdict()).encode() + b"\n")
            finally:
                os.close(descriptor)

    def read(self) -> tuple[Load, ...]:
        """All that was noted; a line that was torn is passed over."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return ()
        return tuple(_parsed(lines))


def _parsed(lines: Iterable[bytes]) -> Iterator[Load]:
    for line in lines:
        with suppress(ValueError, TypeError):
            fields: dict[str, Any] = json.loads(line)
            yield Load(**fields)
