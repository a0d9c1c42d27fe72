"""Sharpening: unsharp_mask."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import OPENCV_ROUNDED_DEPTHS, Floats, check_numeric, full_scale, restore, to_float
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length, UpTo
from imgpool.filters._kernels.convolve import MAX_SIGMA_PX, gaussian_blur, gaussian_reach
from imgpool.filters._pixels.planes import map_colour, weighted_mean

__all__ = ["unsharp_mask"]

ONE_PIXEL = Length(1)
MAX_AMOUNT = 1e6
TRUNCATE = 4.0
"""Standard deviations at which the Gaussian ends, as in scikit-image."""

MAX_FLOAT32_AMOUNT = 10
"""Up to this amount, computing in float32 does not change the rounded result."""


def _halo(parameters: Parameters, pixel_size: PixelSize | None) -> int:
    return gaussian_reach(max(parameters["radius"].in_pixels(pixel_size)), TRUNCATE)


@image_filter(tiles="near", halo=_halo, libraries=("cv2",), examples=({}, {"radius": "0.8um", "amount": 0.5}))
def unsharp_mask(
    image: Image,
    *,
    radius: Annotated[Length, Field(gt=0), UpTo(MAX_SIGMA_PX)] = ONE_PIXEL,
    amount: Annotated[float, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)] = 1.0,
) -> Image:
    """Sharpen with an unsharp mask.

    Computes ``image + amount * (image - blurred)`` with a Gaussian blur. The image is mirrored beyond the border.
    Pixels count by their opacity. NaN stays in place and does not affect other pixels; around an infinite value the
    result is infinite or NaN.

    Parameters
    ----------
    radius
        Standard deviation of the Gaussian, in pixels or with a unit (0.5um), above 0, at most 8000 pixels.
    amount
        Share of the detail that is added, from -1e6 to 1e6: 0 changes nothing, 1 doubles the detail, a negative amount
        blurs.

    Notes
    -----
    Dtype: any integer or float → the same. The result is clipped as in scikit-image: to 0 and the largest integer of
    the type, or 0 and 1 for floats. If the image has negative values, the lower limit is minus the upper one. A float
    image with values outside -1..1 is not clipped. These limits depend on the whole image, so that a tile on its own
    may be clipped differently. Agrees with ``skimage.filters.unsharp_mask(image, radius, amount)``, multiplied by the
    largest integer for integers.

    Examples
    --------
    >>> step = np.repeat(np.array([[50, 50, 100, 100]], np.uint8), 3, axis=0)
    >>> unsharp_mask(Image.from_array(step), radius=0.5).pixels[1]
    array([ 50,  45, 105, 100], dtype=uint8)
    """
    check_numeric(image.pixels, "unsharp_mask")
    sigma = radius.in_pixels(image.pixel_size)
    limits = _limits(image)

    def sharpen(colour: Pixels, weight: Floats | None) -> Pixels:
        blurred = weighted_mean(lambda values: gaussian_blur(values, sigma, TRUNCATE, "reflect"), colour, weight)
        if colour.dtype in OPENCV_ROUNDED_DEPTHS and abs(amount) <= MAX_FLOAT32_AMOUNT:
            return _mix(colour, blurred, amount)
        values = to_float(colour)
        with np.errstate(invalid="ignore"):  # infinity - infinity
            sharp = np.subtract(values, blurred, out=blurred)
            sharp *= amount
            sharp += values
        return restore(sharp if limits is None else np.clip(sharp, *limits, out=sharp), colour.dtype, reuse=True)

    return map_colour(image, "unsharp_mask", sharpen)


def _mix(colour: Pixels, blurred: Floats, amount: float) -> Pixels:
    """Compute ``colour + amount * (colour - blurred)``, rounded and clipped to the dtype of `colour`, in one pass."""
    import cv2

    depth = getattr(cv2, OPENCV_ROUNDED_DEPTHS[colour.dtype])
    sharp = cv2.addWeighted(colour, 1 + amount, blurred, -amount, 0, dtype=depth)
    return np.asarray(sharp, colour.dtype).reshape(colour.shape)


def _limits(image: Image) -> tuple[float, float] | None:
    """Return the limits of the result, or None for a float image with values outside -1..1."""
    if image.pixels.dtype.kind == "u":
        return 0.0, full_scale(image.pixels.dtype)
    colour = image.pixels[np.greater(image.pixels[..., -1], 0)][:, :-1] if image.has_alpha else image.pixels
    white = full_scale(colour.dtype)
    low = float(np.fmin.reduce(colour, axis=None, initial=0))
    high = float(np.fmax.reduce(colour, axis=None, initial=0))
    if colour.dtype.kind == "f" and max(-low, high) > white:
        return None
    return (-white if low < 0 else 0.0), white
