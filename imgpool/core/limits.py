"""Limits on the size of images, checked from the header before anything is decoded.

The size of the file plays no part here: a blank image of any size takes a few hundred bytes in Zstandard, WebP or GIF.
A reader whose codec has a bound on its expansion checks that bound itself, and calls the file damaged only if the bound
proves it.
"""

from collections.abc import Callable

from imgpool.core.errors import ReadError
from imgpool.core.hint import Hint
from imgpool.core.image import Properties

MAX_PIXELS = 2**32
"""Default for the most pixels in one file, over all its pages."""

ALWAYS_ALLOWED_BYTES = 256 * 1024**2
"""Decoded size up to which the available memory is not looked up."""


def check_limits(properties: Properties, max_pixels: int) -> None:
    """Raise `ReadError` if an image has more pixels than are allowed.

    Parameters
    ----------
    properties
        From the header.
    max_pixels
        Most pixels over all pages; the samples of a pixel count once.
    """
    if properties.pixel_count > max_pixels:
        raise ReadError(
            f"it has {properties.pixel_count:,} pixels and is larger than {Hint('max_pixels', str(max_pixels))}",
            f"raise {Hint('max_pixels')} to process it",
        )


def check_memory(properties: Properties, available_memory: Callable[[], int]) -> None:
    """Raise `ReadError` if the pixels alone need more memory than is available; `lacks_memory` recognises it.

    Parameters
    ----------
    properties
        Of what will be decoded.
    available_memory
        Returns the bytes that may be used; called for large images only.
    """
    if properties.nbytes <= ALWAYS_ALLOWED_BYTES:
        return
    available = available_memory()
    if properties.nbytes > available:
        raise ReadError(
            f"not enough memory: its pixels need {properties.nbytes / 1e6:,.0f} MB, and {available / 1e6:,.0f} MB are "
            "available",
            "close other programs, or use a machine with more memory",
        )
