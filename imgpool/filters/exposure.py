"""Point operations on grey levels: rescale_intensity, adjust_gamma, invert, to_uint8."""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, check_numeric, check_real, full_scale
from imgpool.core.errors import FilterError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Properties
from imgpool.core.parameters import Unbounded
from imgpool.filters._pixels.levels import InRange, OutRange, input_range, output_dtype, output_range, rescale_levels
from imgpool.filters._pixels.point_operations import map_values
from imgpool.filters._pixels.statistics import Per, map_groups

__all__ = ["adjust_gamma", "invert", "rescale_intensity", "to_uint8"]

Grey = Annotated[float, Unbounded("a grey level, which is clipped to the data type")]
Exponent = Annotated[float, Field(gt=0), Unbounded("any exponent takes the same time")]
Gain = Annotated[float, Field(gt=0), Unbounded("a factor: any value takes the same time")]

UINT8 = np.dtype(np.uint8)


def _infer_rescaled(properties: Properties, parameters: Parameters) -> Properties:
    return replace(properties, dtype=output_dtype(properties.dtype, parameters["out_range"]))


@image_filter(
    tiles="no",
    infer_output=_infer_rescaled,
    libraries=("cv2",),
    examples=({}, {"in": "1%..99%", "out": "uint8", "nan": 0}, {"per": "plane", "out": "float32"}),
)
def rescale_intensity(
    image: Image,
    *,
    in_range: InRange = "image",
    out_range: OutRange = "dtype",
    per: Per = "channel",
    nan: Grey | None = None,
) -> Image:
    """Rescale grey levels linearly from one range to another.

    Values outside the input range are clipped. An image whose input range is a single level, such as a constant
    image, is only clipped to the output range. NaN, infinities and fully transparent pixels do not affect the range;
    infinities are clipped to its ends. Alpha is scaled so that opaque stays opaque.

    Parameters
    ----------
    in_range
        Grey levels that become the ends of the output range: "image" (minimum and maximum of the image), "dtype" (the
        range of its data type; -1..1 for floats), a data type ("uint12"), two levels ("100..4000") or two percentiles
        ("0.35%..99.65%"). Also called `in`.
    out_range
        Grey levels of the result: "dtype" (from 0 if the input range has no negative values), "image", two levels
        ("0..1"), or a data type, to which the result is converted ("uint8"; uint10, uint12 and uint14 are stored as
        uint16; "float" is float64). Also called `out`.
    per
        Pixels that share one range: each "channel" of a stack, each "plane", or the whole "image". Red, green and
        blue always share a range.
    nan
        Grey level that replaces NaN. By default NaN stays NaN, and an image with NaN is refused if the result has an
        integer type.

    Notes
    -----
    Dtype: any integer or float → the same, or the type named by `out_range`; rounded and clipped. Agrees with
    ``skimage.exposure.rescale_intensity`` on each group of `per`, except that two levels for `out_range` do not
    convert integers to floats.

    Examples
    --------
    >>> image = Image.from_array(np.array([[100, 300], [500, 4095]], np.uint16))
    >>> rescale_intensity(image, in_range="100..500", out_range="uint8").pixels
    array([[  0, 128],
           [255, 255]], dtype=uint8)
    """
    check_real(image.pixels, "rescale_intensity")
    dtype = output_dtype(image.pixels.dtype, out_range)

    def rescale(colour: Pixels, valid: Pixels) -> Pixels:
        low, high = input_range(valid, in_range)
        new_levels = output_range(valid, out_range, clip_negative=low >= 0)
        return rescale_levels(colour, (low, high), new_levels, dtype, nan)

    return map_groups(image, per, dtype, rescale)


@image_filter(tiles="exact", libraries=("cv2",), examples=({}, {"gamma": 0.6}))
def adjust_gamma(image: Image, *, gamma: Exponent = 1, gain: Gain = 1) -> Image:
    """Brighten (gamma below 1) or darken (gamma above 1) the midtones by a power law.

    Computes ``gain * value ** gamma`` on a scale on which 1 is the largest integer of the data type, or 1.0 for floats.
    Alpha and NaN stay unchanged.

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
    Dtype: any integer or float → the same; integers are rounded and clipped, floats may exceed 1. Agrees with
    ``skimage.exposure.adjust_gamma``, which wraps values around where this filter clips them.

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

    def adjust(colour: Pixels, _valid: Pixels) -> Pixels:
        if colour.dtype.kind != "u" and np.any(np.less(colour, 0)):
            step = Hint("filters", f"rescale_intensity:out_range=0..{scale:.0f}")
            raise FilterError("adjust_gamma needs grey levels of 0 or more", f"add {step} before it")
        return map_values(power, colour, dtype)

    return map_groups(image, "image", dtype, adjust)


@image_filter(tiles="exact")
def invert(image: Image, *, signed_float: bool = False) -> Image:
    """Invert the grey levels, as in a photographic negative.

    Unsigned integers become ``max - value``, signed integers ``-1 - value``, floats ``1 - value``; booleans are
    negated. Alpha and NaN stay unchanged.

    Parameters
    ----------
    signed_float
        Whether floats range from -1 to 1, so that they become ``-value``.

    Notes
    -----
    Dtype: any → the same, exactly for every integer. Agrees with ``skimage.util.invert``.

    Examples
    --------
    >>> invert(Image.from_array(np.array([[0, 100, 255]], np.uint8))).pixels
    array([[255, 155,   0]], dtype=uint8)
    """
    if image.pixels.dtype.kind != "b":
        check_real(image.pixels, "invert")

    def negate(colour: Pixels, _valid: Pixels) -> Pixels:
        if colour.dtype.kind != "f":
            return np.invert(colour)
        return np.negative(colour) if signed_float else np.subtract(colour.dtype.type(1), colour)

    return map_groups(image, "image", image.pixels.dtype, negate)


def _infer_uint8(properties: Properties, _parameters: Parameters) -> Properties:
    return replace(properties, dtype=UINT8)


@image_filter(tiles="no", infer_output=_infer_uint8, libraries=("cv2",), examples=({}, {"in": "dtype", "nan": 0}))
def to_uint8(
    image: Image,
    *,
    in_range: InRange = "image",
    per: Per = "channel",
    nan: Grey | None = None,
) -> Image:
    """Convert to 8 bits, by default stretching the contrast of the image to 0..255.

    The default makes every image visible whatever its bit depth, but grey levels of different images are no longer
    comparable. To compare images, give a fixed `in_range` ("uint12", "0..4095"). To keep the values, as of labels, give
    ``in_range=0..255``; values above 255 are clipped. 8-bit images stay unchanged; booleans become 0 and 255.

    Parameters
    ----------
    in_range
        Grey levels that become 0 and 255: "image" (minimum and maximum of the image), "dtype" (0 to the largest value
        of its data type; 0..1 for floats), a data type ("uint12"), two levels ("100..4000") or two percentiles
        ("0.35%..99.65%"). Also called `in`.
    per
        Pixels that share one range: each "channel" of a stack, each "plane", or the whole "image".
    nan
        Grey level from 0 to 255 that replaces NaN. By default an image with NaN is refused.

    Notes
    -----
    Dtype: any → uint8, rounded and clipped. A constant image is only clipped to 0..255. Agrees with
    ``skimage.exposure.rescale_intensity(out_range="uint8")`` and, for ``in_range="dtype"`` with floats or unsigned
    integers, with ``skimage.util.img_as_ubyte``.

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

    def convert(colour: Pixels, valid: Pixels) -> Pixels:
        levels = (0.0, full_scale(dtype)) if in_range == "dtype" else input_range(valid, in_range)
        return rescale_levels(colour, levels, (0.0, 255.0), UINT8, nan)

    return map_groups(image, per, UINT8, convert)
