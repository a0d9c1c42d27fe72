"""Keeping the remarks of tifffile and imagecodecs off the terminal."""

import logging
from typing import Self


class quiet:  # noqa: N801 - it reads as a word, as those of contextlib
    """A context that silences a library's log; what matters of it is found out by looking at the file."""

    def __init__(self, library: str = "tifffile") -> None:
        self._logger = logging.getLogger(library)
        self._before = self._logger.disabled

    def __enter__(self) -> Self:
        self._logger.disabled = True
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.disabled = self._before
