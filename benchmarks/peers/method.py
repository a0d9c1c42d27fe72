"""The interface between methods and their measurement."""

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
    """A folder of images to process into another, empty folder.

    Attributes
    ----------
    workload
        The processing.
    folder, output
        Absolute paths of the folder of images and of the folder for results.
    workers
        Number of processes.
    """

    workload: Workload
    folder: Path
    output: Path
    workers: int

    @property
    def names(self) -> list[str]:
        """Names of the images, sorted."""
        return sorted(os.listdir(self.folder))


@dataclass(frozen=True)
class Method:
    """A way to process a workload.

    Attributes
    ----------
    name
        Name in the table.
    commands
        Returns the commands to start for a job.
    each_round
        Whether it takes part in every round; others are slow, or only give a rough impression.
    note
        What it does differently from the other methods, shown in the table.
    missing
        The missing program or package, if it cannot run.
    """

    name: str
    commands: Callable[[Job], list[Command]]
    each_round: bool = True
    note: str = ""
    missing: str = ""

    def sample(self, workload: Workload) -> int:
        """Return n if the method processes only every n-th image."""
        return workload.slow.get(self.name, workload.slow.get(self.name.split()[0], 1))


def python_module(name: str, *arguments: object) -> Command:
    """Return the command that runs a module of this repository, such as "benchmarks.peers.bound"."""
    return Command([sys.executable, "-m", name, *map(str, arguments)], folder=ROOT)
