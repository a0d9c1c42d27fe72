"""How to say that a file ends too early."""

from imgpool.core.errors import ReadError
from imgpool.formats._sniff import COPY_AGAIN


def truncated(share: float, whole: str = "picture") -> ReadError:
    """The error for a file of which only a part is there.

    Parameters
    ----------
    share
        How much there is, from 0 to 1; anything less than whole is told as 1 to 99 %.
    whole
        What it is a share of.
    """
    per_cent = min(max(round(share * 100), 1), 99)
    return ReadError(f"truncated: {per_cent} % of the {whole} is there", COPY_AGAIN)
