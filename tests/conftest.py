"""Run the command as users do, in a process of its own; the images of the repository."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.platforms.collection import missing_at_import, missing_in_function
from tests.support.warm_start import WarmCommand

ROOT = Path(__file__).parents[1]

collect_ignore = ["support/platforms"]  # importing an imitation of another system changes the process


def pytest_ignore_collect(collection_path):
    """Leave out a file of tests that cannot be imported on this system; None lets pytest decide."""
    if sys.platform == "linux":  # it lacks nothing
        return None
    if collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        return bool(missing_at_import(ast.parse(collection_path.read_text("utf-8")))) or None
    return None


def pytest_collection_modifyitems(items):
    """Skip tests that use what this system lacks, such as `os.fork` on Windows."""
    for item in items if sys.platform != "linux" else ():
        if missing := missing_in_function(getattr(item, "function", None)):
            item.add_marker(pytest.mark.skip(f"this system lacks {', '.join(sorted(missing))}"))


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)


@pytest.fixture(scope="session")
def warm_command():
    """The command in processes that need no new interpreter."""
    if not hasattr(os, "fork"):
        yield None
        return
    command = WarmCommand()
    yield command
    command.close()


@pytest.fixture(scope="session")
def imgpool(warm_command):
    """Call ``imgpool`` with arguments; every call's stderr is checked for tracebacks and stray warnings.

    A call with an environment of its own, or with a function to run before it, starts a new interpreter.
    """

    def call(*arguments, cwd=None, env=None, timeout=100, before=None):
        words = [os.fsdecode(_text(argument)) for argument in arguments]
        environment = {**os.environ, "COLUMNS": "100", **(env or {})}
        if warm_command and before is None and set(env or ()) <= {"COLUMNS"}:
            code, stdout, stderr = warm_command.run(words, cwd, environment, timeout)
        else:
            encode = os.fsencode if os.name == "posix" else str
            command = [sys.executable, "-m", "imgpool", *map(encode, words)]
            how = {"cwd": cwd, "env": environment, "timeout": timeout, "preexec_fn": before}
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False, **how)
            code, stdout, stderr = done.returncode, done.stdout, done.stderr
        errors = stderr.decode("utf-8", "replace")
        if "-v" not in arguments:
            assert "Traceback" not in errors, errors
        assert "Warning" not in errors, errors
        return Outcome(code, stdout.decode("utf-8"), errors)

    return call


def _text(argument):
    return argument if isinstance(argument, os.PathLike | bytes) else str(argument)


@pytest.fixture(scope="session")
def sample_images():
    return ROOT / "sample_images"


@pytest.fixture(scope="session")
def broken_images():
    return ROOT / "tests" / "data" / "broken"
