"""Keep the log messages of tifffile and imagecodecs off the terminal."""

import logging
from typing import Self


class LogSilencer:
    """Context manager that disables the log of a library; imgpool checks the files itself."""

    def __init__(self, library: str = "tifffile") -> None:
        self._logger = logging.getLogger(library)
        self._was_disabled = self._logger.disabled

    def __enter__(self) -> Self:
        self._logger.disabled = True
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.disabled = self._was_disabled
