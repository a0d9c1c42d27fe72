"""What a way to do the work looks like to whoever measures it."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Command
from benchmarks.workloads import Workload

ROOT = Path(__file__).resolve().parents[2]
"""Root of the repository, from which the modules of this package are run."""


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


def python_module(name: str, *arguments: object) -> Command:
    """Return the command that runs a module of this repository, such as "benchmarks.peers.bound"."""
    return Command([sys.executable, "-m", name, *map(str, arguments)], folder=ROOT)
