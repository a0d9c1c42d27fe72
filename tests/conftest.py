"""Run the command as users do, in a process of its own; the images of the repository."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)


@pytest.fixture(scope="session")
def imgpool():
    """Call ``imgpool`` with arguments; every call's stderr is checked for tracebacks and stray warnings."""

    def call(*arguments, cwd=None, env=None, timeout=100, before=None):
        done = subprocess.run(
            [sys.executable, "-m", "imgpool", *map(os.fspath, map(_text, arguments))],
            capture_output=True,
            cwd=cwd,
            env={**os.environ, "COLUMNS": "100", **(env or {})},
            timeout=timeout,
            preexec_fn=before,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        stderr = done.stderr.decode("utf-8", "replace")
        if "-v" not in arguments:
            assert "Traceback" not in stderr, stderr
        assert "Warning" not in stderr, stderr
        return Outcome(done.returncode, done.stdout.decode("utf-8"), stderr)

    return call


def _text(argument):
    return argument if isinstance(argument, os.PathLike | bytes) else str(argument)


@pytest.fixture(scope="session")
def sample_images():
    return ROOT / "sample_images"


@pytest.fixture(scope="session")
def broken_images():
    return ROOT / "tests" / "data" / "broken"
