"""Errors for damaged and truncated TIFF files."""

import contextlib
import errno
from collections.abc import Iterator

from imgpool.core.errors import ImageError, ReadError
from imgpool.formats._errors import COPY_AGAIN, undecodable

MAX_PLAUSIBLE_CUT = 1000
"""How many times longer than the file a valid offset can be: beyond, the offset itself is wrong."""


class MalformedError(ValueError):
    """The content of a TIFF contradicts its own specification; the message says what is wrong."""


def truncated(size: int, needed: int, pages: int = 0) -> ReadError:
    """Return the error for a file that is too short.

    Parameters
    ----------
    size
        Size of the file in bytes.
    needed
        Size in bytes that it must at least have.
    pages
        Number of complete pages.
    """
    if needed > MAX_PLAUSIBLE_CUT * size:
        return damaged("it points to bytes far beyond its end")
    if pages > 1:  # the number of pages that should follow is unknown
        return ReadError(f"truncated: the file ends in page {pages + 1}", COPY_AGAIN)
    return ReadError(f"truncated: at most {min(99, round(100 * size / needed))}% of the file is present", COPY_AGAIN)


def damaged(problem: str) -> ReadError:
    """Return the error for a file that contradicts itself."""
    return ReadError(f"the TIFF is damaged: {problem}", COPY_AGAIN)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn every exception that a damaged file causes into a `ReadError`."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # from the disk or the network; EINVAL is a wrong offset
            raise
        raise damaged("it points to a position that no file can have") from None
    except MalformedError as error:
        raise damaged(str(error)) from None
    except Exception as error:  # tifffile and its codecs raise exceptions of any type
        raise _decoding_error(error) from error


def _decoding_error(error: Exception) -> ReadError:
    if isinstance(error, NotImplementedError):
        return ReadError("it is stored in a way that imgpool does not read", "save it again without compression")
    return undecodable("TIFF", error)
