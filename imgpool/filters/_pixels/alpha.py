"""Alpha: opacity, and conversion between straight and premultiplied colour."""

from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, full_scale, restore, to_float
from imgpool.filters._pixels.point_operations import map_values


def opacity_of(alpha: Pixels) -> Floats:
    """Return alpha as floats from 0 to 1; NaN becomes 0."""
    shares = to_float(alpha) / full_scale(alpha.dtype)
    clipped: Floats = np.clip(np.where(np.isnan(shares), 0, shares), 0, 1)
    return clipped


def straight_colour(colour: Pixels, opacity: Floats) -> Pixels:
    """Divide premultiplied colour by its opacity, in the same dtype; 0 where the opacity is 0."""
    values = to_float(colour)
    return restore(np.divide(values, opacity, out=np.zeros_like(values), where=opacity > 0), colour.dtype)


def premultiplied_colour(colour: Pixels, opacity: Floats) -> Pixels:
    """Multiply straight colour by its opacity, in the same dtype."""
    return restore(to_float(colour) * opacity, colour.dtype)


def scale_alpha(alpha: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Convert alpha to another dtype, scaled so that opaque stays opaque."""
    if alpha.dtype == dtype:
        return alpha
    scale = full_scale(dtype) / full_scale(alpha.dtype)
    return map_values(lambda values: np.nan_to_num(values * scale), alpha, dtype)
