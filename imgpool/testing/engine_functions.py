"""Functions that engines run in their contract tests. Workers import this module, so it must not import pytest."""

import sys
from typing import NoReturn

from imgpool.core.errors import ReadError
from imgpool.core.task import Result, Task


class UnpicklableError(Exception):
    """An exception that can be neither pickled nor rebuilt from its arguments."""

    def __init__(self, first: str, second: int) -> None:
        super().__init__(first)
        self.second = second
        self.function = lambda: None


class MuteError(Exception):
    """An exception that cannot be converted to text."""

    def __str__(self) -> str:
        raise ValueError("no text")


def make_tasks(*actions: str) -> list[Task]:
    """Return one task for each action, such as "pass 1" or "raise 2"."""
    return [Task(action, f"out-{number}", 10 + number, 0) for number, action in enumerate(actions)]


def perform(_state: object, task: Task, _memory: int | None = None) -> Result:
    """Perform the action that is the task's source: "pass X" returns a result with the dtype X, all others fail."""
    action, _, argument = task.source.partition(" ")
    if action != "pass":
        _fail(action, argument)
    return Result(task, "done", dtype=argument)


def load_nothing() -> None:
    """An initializer without a state."""


def fail_to_load() -> NoReturn:
    """An initializer that raises an error of imgpool, with a hint."""
    raise ReadError("the model does not load", "download it again")


def raise_key_error() -> NoReturn:
    """An initializer that raises an error of Python."""
    raise KeyError("weights")


def exit_at_once() -> NoReturn:
    """An initializer that ends its process."""
    sys.exit(7)


def _fail(action: str, argument: str) -> NoReturn:
    if action == "raise":
        raise ValueError(argument)
    if action == "read-error":
        raise ReadError(argument, "copy it again")
    if action == "unpicklable":
        raise UnpicklableError(argument, 2)
    if action == "mute":
        raise MuteError
    if action == "sys-exit":
        sys.exit(3)
    raise KeyError(action)
