"""Base class of the readers of formats that store an image in one file."""

from typing import BinaryIO, ClassVar

from imgpool.core.format import FilePath, Reader
from imgpool.formats._signatures import HEAD_BYTES, check_signature


class FileReader(Reader):
    """Reader that keeps one file open.

    Parameters
    ----------
    path
        The file.
    buffering
        As for the built-in `open`.

    Attributes
    ----------
    kind
        Kind of file, as `check_signature` names it.
    """

    kind: ClassVar[str]

    def __init__(self, path: FilePath, buffering: int = -1) -> None:
        self._path = path
        self._file: BinaryIO = open(path, "rb", buffering=buffering)  # noqa: SIM115 - `close` closes it

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_signature(self, head: bytes | None = None) -> None:
        """Raise `ReadError` unless the file starts like one of this kind."""
        check_signature(self._path, self._file.read(HEAD_BYTES) if head is None else head, self.kind)
