"""Grey levels, one pixel at a time: rescale_intensity, adjust_gamma, invert, to_uint8."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, check_numeric, check_real, full_scale
from imgpool.core.errors import FilterError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.filters._pixels.levels import InRange, OutRange, input_range, output_dtype, output_range, rescale_levels
from imgpool.filters._pixels.point_operations import map_values
from imgpool.filters._pixels.statistics import Per, map_groups

__all__ = ["adjust_gamma", "invert", "rescale_intensity", "to_uint8"]

UINT8 = np.dtype(np.uint8)


def _rescaled(properties: Properties, parameters: Parameters) -> Properties:
    return replace(properties, dtype=output_dtype(properties.dtype, parameters["out_range"]))


@image_filter(
    tiles="no",
    infer_output=_rescaled,
    libraries=("cv2",),
    examples=({}, {"in": "1%..99%", "out": "uint8", "nan": 0}, {"per": "plane", "out": "float32"}),
)
def rescale_intensity(
    image: Image,
    *,
    in_range: InRange = "image",
    out_range: OutRange = "dtype",
    per: Per = "channel",
    nan: float | None = None,
) -> Image:
    """Stretch or shrink the grey levels from one range to another.

    What lies outside the input range is clipped. A constant image, and one whose input range is a single
    level, is only clipped to the output range. Alpha keeps its share of opaque. NaN and wholly transparent
    pixels do not count for the range, infinities are clipped to its ends.

    Parameters
    ----------
    in_range
        Grey levels that become the ends of the output range: "image" (lowest and highest in the image),
        "dtype" (all its type can hold; -1..1 for floats), a type ("uint12"), two levels ("100..4000") or
        two percentiles ("0.35%..99.65%"). Also called `in`.
    out_range
        Grey levels of the result: "dtype" (from 0 where the input range has nothing below 0), "image", a
        type, which the result then has ("uint8"; uint10, uint12 and uint14 are kept in uint16; "float" is
        float64), or two levels ("0..1"), which leave the type as it is. Also called `out`.
    per
        What shares one range: each "channel" over its whole stack, each "plane", or the whole "image".
        Red, green and blue always share theirs.
    nan
        Grey level to put in place of NaN. Without it NaN stays NaN, and an image that holds NaN is refused
        where the result is of integers.

    Notes
    -----
    Dtype: the same, or the one `out_range` names; rounded and clipped. Any integer or float comes in.
    Agrees with ``skimage.exposure.rescale_intensity`` on each group of `per`, except that two levels for
    `out_range` do not turn integers into floats.

    Examples
    --------
    >>> image = Image.from_array(np.array([[100, 300], [500, 4095]], np.uint16))
    >>> rescale_intensity(image, in_range="100..500", out_range="uint8").pixels
    array([[  0, 128],
           [255, 255]], dtype=uint8)
    """
    check_real(image.pixels, "rescale_intensity")
    dtype = output_dtype(image.pixels.dtype, out_range)

    def rescale(colour: Pixels, counted: Pixels) -> Pixels:
        low, high = input_range(counted, in_range)
        ends = output_range(counted, out_range, clip_negative=low >= 0)
        return rescale_levels(colour, (low, high), ends, dtype, nan)

    return map_groups(image, per, dtype, rescale)


@image_filter(tiles="exact", libraries=("cv2",), examples=({}, {"gamma": 0.6}))
def adjust_gamma(
    image: Image, *, gamma: Annotated[float, Field(gt=0)] = 1, gain: Annotated[float, Field(gt=0)] = 1
) -> Image:
    """Brighten (gamma below 1) or darken (gamma above 1) the middle tones by a power law.

    The result is ``gain * value ** gamma``, with values on a scale where 1 is the largest of the dtype (for
    floats: 1). Alpha and NaN are left as they are.

    Parameters
    ----------
    gamma
        Exponent, above 0; 1 changes nothing.
    gain
        Factor on the result, above 0.

    Raises
    ------
    FilterError
        If a grey level is negative.

    Notes
    -----
    Dtype: kept; integers are rounded and clipped, floats may exceed 1. Agrees with
    ``skimage.exposure.adjust_gamma``, which wraps where this clips.

    Examples
    --------
    >>> adjust_gamma(Image.from_array(np.array([[0, 64, 255]], np.uint8)), gamma=0.5).pixels
    array([[  0, 128, 255]], dtype=uint8)
    """
    check_numeric(image.pixels, "adjust_gamma")
    dtype = image.pixels.dtype
    scale = full_scale(dtype)

    def power(values: Floats) -> Floats:
        with np.errstate(over="ignore"):
            curved: Floats = gain * scale * (np.maximum(values, 0) / scale) ** gamma
        return curved

    def adjust(colour: Pixels, _counted: Pixels) -> Pixels:
        if colour.dtype.kind != "u" and np.any(np.less(colour, 0)):
            hint = f"add -f rescale_intensity:out_range=0..{scale:.0f} before it"
            raise FilterError("adjust_gamma cannot raise negative grey levels to a power", hint)
        return map_values(power, colour, dtype)

    return map_groups(image, "image", dtype, adjust)


@image_filter(tiles="exact")
def invert(image: Image, *, signed_float: bool = False) -> Image:
    """Turn light into dark: the negative of an image.

    Unsigned integers become ``max - value``, signed ones ``-1 - value``, floats ``1 - value``, booleans
    their opposite. Alpha and NaN are left as they are.

    Parameters
    ----------
    signed_float
        Whether floats run from -1 to 1, and so become ``-value``.

    Notes
    -----
    Dtype: kept, exact for every integer. Agrees with ``skimage.util.invert``.

    Examples
    --------
    >>> invert(Image.from_array(np.array([[0, 100, 255]], np.uint8))).pixels
    array([[255, 155,   0]], dtype=uint8)
    """
    if image.pixels.dtype.kind != "b":
        check_real(image.pixels, "invert")

    def negate(colour: Pixels, _counted: Pixels) -> Pixels:
        if colour.dtype.kind != "f":
            return np.invert(colour)
        return np.negative(colour) if signed_float else np.subtract(colour.dtype.type(1), colour)

    return map_groups(image, "image", image.pixels.dtype, negate)


def _as_uint8(properties: Properties, _parameters: Parameters) -> Properties:
    return replace(properties, dtype=UINT8)


@image_filter(tiles="no", infer_output=_as_uint8, libraries=("cv2",), examples=({}, {"in": "dtype", "nan": 0}))
def to_uint8(
    image: Image,
    *,
    in_range: InRange = "image",
    per: Per = "channel",
    nan: float | None = None,
) -> Image:
    """Convert to 8 bits, by default stretching what the image holds to 0..255.

    The default shows every image well, whatever its bit depth, but makes grey levels of different images
    incomparable: give a fixed `in_range` ("uint12", "0..4095") where they are to be compared. Labels and
    other values that must not change keep theirs with ``in_range=0..255`` (above that they are clipped).
    8-bit images stay as they are; booleans become 0 and 255.

    Parameters
    ----------
    in_range
        Grey levels that become 0 and 255: "image" (lowest and highest), "dtype" (0 to the largest its type
        can hold; 0..1 for floats), a type ("uint12"), two levels ("100..4000") or two percentiles
        ("0.35%..99.65%"). Also called `in`.
    per
        What shares one range: each "channel" over its whole stack, each "plane", or the whole "image".
    nan
        Grey level, 0 to 255, to put in place of NaN. Without it an image that holds NaN is refused.

    Notes
    -----
    Dtype: any → uint8, rounded and clipped, never wrapped. A constant image is only clipped to 0..255.
    Agrees with ``skimage.exposure.rescale_intensity(out_range="uint8")``; with ``in_range="dtype"`` and
    floats or unsigned integers with ``skimage.util.img_as_ubyte``.

    Examples
    --------
    >>> to_uint8(Image.from_array(np.array([[0, 1000, 4095]], np.uint16))).pixels
    array([[  0,  62, 255]], dtype=uint8)
    """
    dtype = image.pixels.dtype
    if dtype == UINT8:
        return image
    if dtype.kind == "b":
        return image.with_pixels(np.where(image.pixels, UINT8.type(255), UINT8.type(0)))
    check_real(image.pixels, "to_uint8")

    def convert(colour: Pixels, counted: Pixels) -> Pixels:
        levels = (0.0, full_scale(dtype)) if in_range == "dtype" else input_range(counted, in_range)
        return rescale_levels(colour, levels, (0.0, 255.0), UINT8, nan)

    return map_groups(image, per, UINT8, convert)
