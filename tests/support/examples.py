"""The parameter sets that filters declare as examples, with the files that some of them need."""

import functools
import tempfile
from pathlib import Path

from imgpool.core.step import Step

_FILES = tempfile.TemporaryDirectory(prefix="imgpool-examples-")
"""Removed when the process ends."""


@functools.cache
def example_steps(filter_, size):
    """One step for each example, for images of `size` (height, width)."""
    folder = Path(_FILES.name, f"{filter_.name}-{size[0]}x{size[1]}")
    folder.mkdir()
    return [Step(filter_.name, dict(parameters)) for parameters in filter_.example_parameters(folder, size)]


def step_id(step):
    """The step as text, without the folders of its files, which differ between processes."""
    short = {name: Path(value).name if "/" in str(value) else value for name, value in step.parameters.items()}
    return str(Step(step.filter, short))
