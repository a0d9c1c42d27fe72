"""Errors that the formats have in common."""

from imgpool.core.errors import ReadError
from imgpool.core.failures import lacks_memory

COPY_AGAIN = "copy it again from the original"
"""Hint for a damaged or truncated file."""


def truncated_error(fraction: float, whole: str = "image") -> ReadError:
    """Return the error for a file that ends too early.

    Parameters
    ----------
    fraction
        How much of it is there, from 0 to 1; reported as 1 to 99 %.
    whole
        What it is a fraction of.
    """
    per_cent = min(max(round(fraction * 100), 1), 99)
    return ReadError(f"truncated: only {per_cent}% of the {whole} is present", COPY_AGAIN)


def undecodable(kind: str, error: Exception) -> ReadError:
    """Return the error for a file of which a library cannot decode the content; raise it from the library's error.

    The library's text names its own functions and codes, and is left out. It is kept if memory was lacking, because
    `lacks_memory` recognises that by the text.
    """
    reason = f" ({error})" if lacks_memory(error) else ""
    return ReadError(f"the {kind} is damaged: its content cannot be decoded{reason}", COPY_AGAIN)
