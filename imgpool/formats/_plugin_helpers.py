"""Helpers for authors of formats, public through `imgpool.plugins`."""

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath
from imgpool.formats._errors import COPY_AGAIN, truncated_error
from imgpool.formats._lost_metadata import not_stored
from imgpool.formats._signatures import check_signature

__all__ = ["not_stored", "truncated_error", "wrong_file_error"]


def wrong_file_error(path: FilePath, head: bytes, name: str) -> ReadError:
    """Return the error for a file that does not start like one of this format; it says what the file is instead.

    Parameters
    ----------
    path
        The file; only its name is used.
    head
        The first 512 bytes of the file, or the whole file if it is shorter.
    name
        What users call the format, such as "PGM".
    """
    try:
        check_signature(path, head, name)
    except ReadError as error:
        return error
    return ReadError(f"this is not a {name}", COPY_AGAIN)
