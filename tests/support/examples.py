"""The parameter sets that filters declare as examples, with the files that some of them need."""

import functools
import tempfile
from pathlib import Path

_FILES = tempfile.TemporaryDirectory(prefix="imgpool-examples-")
"""Removed when the process ends."""


@functools.cache
def example_parameters(filter_, size):
    """Return the filter's examples for images of `size` (height, width)."""
    folder = Path(_FILES.name, f"{filter_.name}-{size[0]}x{size[1]}")
    folder.mkdir()
    return filter_.example_parameters(folder, size)
