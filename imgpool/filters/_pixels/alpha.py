"""Alpha: the share of each pixel that is seen, and colour freed from it or multiplied by it."""

from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, full_scale, restore, to_float
from imgpool.filters._pixels.values import map_values


def opacity_of(alpha: Pixels) -> Floats:
    """Alpha as floats from 0 to 1; NaN counts as transparent."""
    shares = to_float(alpha) / full_scale(alpha.dtype)
    clipped: Floats = np.clip(np.where(np.isnan(shares), 0, shares), 0, 1)
    return clipped


def straight_colour(colour: Pixels, opacity: Floats) -> Pixels:
    """Colour freed from the opacity it was multiplied by, in its own dtype; 0 where nothing is visible."""
    values = to_float(colour)
    return restore(np.divide(values, opacity, out=np.zeros_like(values), where=opacity > 0), colour.dtype)


def premultiplied_colour(colour: Pixels, opacity: Floats) -> Pixels:
    """Colour multiplied by its opacity, in its own dtype."""
    return restore(to_float(colour) * opacity, colour.dtype)


def scale_alpha(alpha: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Alpha in another dtype: transparent stays transparent, opaque stays opaque."""
    if alpha.dtype == dtype:
        return alpha
    scale = full_scale(dtype) / full_scale(alpha.dtype)
    return map_values(lambda values: np.nan_to_num(values * scale), alpha, dtype)
