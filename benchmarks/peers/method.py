"""What a way to do the work looks like to whoever measures it."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measuring import Command
from workloads import Workload

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Job:
    """A folder of images to be processed into another one, which is empty.

    Attributes
    ----------
    workload
        What is to be done.
    folder, output
        Where the images are, and where the results go; absolute.
    workers
        How many processes are to share the work.
    """

    workload: Workload
    folder: Path
    output: Path
    workers: int

    @property
    def names(self) -> list[str]:
        """The names of the images, sorted."""
        return sorted(os.listdir(self.folder))


@dataclass(frozen=True)
class Method:
    """A way to do the work.

    Attributes
    ----------
    name
        As it stands in the table.
    commands
        What to start for a job.
    each_round
        Whether it takes part in every round; else in a few, for it only gives a rough idea.
    note
        What it does otherwise than the rest.
    missing
        What is not installed and stops it from running.
    """

    name: str
    commands: Callable[[Job], list[Command]]
    each_round: bool = True
    note: str = ""
    missing: str = ""

    def sample(self, workload: Workload) -> int:
        """It takes only every so-many-th image."""
        return workload.slow.get(self.name, workload.slow.get(self.name.split()[0], 1))


def script(name: str, *words: object) -> list[str]:
    """The command that runs a script of this folder."""
    return [sys.executable, os.fspath(HERE / name), *map(str, words)]
