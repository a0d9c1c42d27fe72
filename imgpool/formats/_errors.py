"""Errors that the formats have in common."""

from imgpool.core.errors import ReadError

COPY_AGAIN = "copy it again from the original"
"""Hint for a damaged or truncated file."""


def truncated(fraction: float, whole: str = "image") -> ReadError:
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
