"""Limits on the size of a filter's result, which are checked before it is allocated."""

from imgpool.core.errors import FilterError, ReadError
from imgpool.core.image import Properties
from imgpool.core.limits import check_memory
from imgpool.filters._pixels.plane_geometry import plane_size
from imgpool.system.resources import available_memory

ALWAYS_ALLOWED_PIXELS = 2**28
"""Pixels of a plane that any image may be enlarged to."""

MAX_ENLARGEMENT = 10_000
"""Largest number of pixels relative to the image: a factor of 100 for height and width."""


def check_enlargement(owner: str, image: Properties, result: Properties) -> None:
    """Raise `FilterError` if a result is unreasonably large for its image.

    Parameters
    ----------
    owner
        The filter's name, for messages.
    image, result
        Properties before and after.
    """
    (old_height, old_width), (height, width) = plane_size(image), plane_size(result)
    if height * width > max(ALWAYS_ALLOWED_PIXELS, MAX_ENLARGEMENT * old_height * old_width):
        raise FilterError(
            f"{owner} would enlarge the image of {old_width:,} × {old_height:,} px to {width:,} × {height:,} px, "
            f"more than {MAX_ENLARGEMENT:,} times its pixels",
            "choose a smaller size",
        )


def check_result_memory(owner: str, result: Properties) -> None:
    """Raise `FilterError` if a result does not fit into the available memory."""
    try:
        check_memory(result, available_memory)
    except ReadError as error:
        shape = "×".join(map(str, result.shape))
        raise FilterError(f"{owner} would return {shape} values: {error.message}", error.hint) from None
