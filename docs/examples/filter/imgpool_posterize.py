"""A filter for imgpool: posterize."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.plugins import Floats, Image, Pixels, full_scale, image_filter, map_colour, restore, to_float


@image_filter(tiles="exact", examples=({}, {"levels": 2}))
def posterize(image: Image, *, levels: Annotated[int, Field(ge=2, le=256)] = 4) -> Image:
    """Reduce an image to a few evenly spaced grey levels.

    Each sample becomes the nearest of `levels` values from black to white. The data type stays the
    same; white is the largest value of an integer type, and 1.0 for floats.

    Parameters
    ----------
    levels
        Number of grey levels, 2 to 256.

    Examples
    --------
    >>> posterize(Image.from_array(np.array([[0, 100, 200, 255]], np.uint8)), levels=2).pixels
    array([[  0,   0, 255, 255]], dtype=uint8)
    """

    def posterize_plane(colour: Pixels, _weight: Floats | None) -> Pixels:
        white = full_scale(colour.dtype)
        steps = levels - 1
        return restore(np.rint(to_float(colour) / white * steps) / steps * white, colour.dtype)

    return map_colour(image, "posterize", posterize_plane)
