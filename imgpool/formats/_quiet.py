"""Keeping the remarks of tifffile and imagecodecs off the terminal."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def quiet(library: str = "tifffile") -> Iterator[None]:
    """Silence a library's log; what matters of it is found out by looking at the file."""
    logger = logging.getLogger(library)
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before
