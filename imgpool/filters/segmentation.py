"""From grey levels to masks and labels: threshold, label."""

import math
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from imgpool.core.axes import Bools, Pixels, has_samples, iter_planes
from imgpool.core.dtypes import Floats, check_numeric, check_real
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.quantity import Area
from imgpool.filters._kernels.components import label_components
from imgpool.filters._kernels.neighbourhood import Size
from imgpool.filters._kernels.thresholds import Method, global_threshold, local_mean
from imgpool.filters._pixels.alpha import opacity_of, straight_colour
from imgpool.filters._pixels.statistics import Per, group_indices

__all__ = ["label", "threshold"]

GREY_AND_ALPHA = 2
LOCAL_SIZE = 51
ROUNDING = 1e-10
"""Share of the largest grey level by which a mean of equal pixels may differ from them."""

NO_AREA = Area(0.0)


def _mask(properties: Properties, _parameters: Parameters) -> Properties:
    _check_grey(properties.axes, properties.shape, "threshold")
    return _single_samples(properties)


def _check_threshold(parameters: Parameters) -> None:
    if parameters["value"] is not None and parameters["method"] != "otsu":
        raise RecipeError("threshold takes a value or a method, not both", "leave one of them out")
    if parameters["method"] != "local" and (parameters["size"] != LOCAL_SIZE or parameters["offset"]):
        raise RecipeError("only the method local has a size and an offset", "add method=local")


@image_filter(
    tiles="no",
    infer_output=_mask,
    check=_check_threshold,
    libraries=("cv2", "scipy.ndimage", "skimage.filters"),
    examples=({}, {"method": "local", "size": 5}, {"value": 100, "background": "bright", "per": "image"}),
)
def threshold(
    image: Image,
    *,
    method: Method | Literal["local"] = "otsu",
    value: float | None = None,
    background: Literal["dark", "bright"] = "dark",
    per: Per = "channel",
    size: Annotated[Size, Field(ge=3)] = LOCAL_SIZE,
    offset: float = 0,
) -> Image:
    """Separate objects from the background: a mask of 255 and 0.

    Where all pixels are the same nothing stands out, and the mask is all 0. NaN and wholly transparent
    pixels become 0 and do not count for the threshold, nor do infinities.

    Parameters
    ----------
    method
        How the threshold is found: "otsu", "li", "triangle", "yen", "isodata", "mean" or "minimum" from the
        grey levels of a group; "local" from the surroundings of each pixel.
    value
        This grey level instead of a method.
    background
        "dark": objects are brighter than the threshold; "bright": all that is not.
    per
        What shares one threshold: each "channel" over its whole stack, each "plane", or the whole "image".
    size
        For "local": odd side of the neighbourhood in pixels, from 3; its mean is weighted by a gaussian.
    offset
        For "local": grey levels that the threshold lies below that mean.

    Raises
    ------
    FilterError
        If the image is in colour.

    Notes
    -----
    Dtype: integers or floats → uint8, 0 or 255; alpha is dropped. Agrees with ``image >
    skimage.filters.threshold_<method>(image)``, for floats with 256 bins; integers that spread over more than
    65,536 levels are binned as floats are.

    Examples
    --------
    >>> threshold(Image.from_array(np.array([[10, 12, 200]], np.uint8))).pixels
    array([[  0,   0, 255]], dtype=uint8)
    """
    check_numeric(image.pixels, "threshold")
    grey, visible = _grey(image, "threshold")
    counted = np.isfinite(grey) if visible is None else np.isfinite(grey) & visible
    result = replace(image, pixels=grey, axes=image.axes.removesuffix("S"))
    mask = np.zeros(grey.shape, np.bool_)
    if method == "local":
        for page, plane in iter_planes(grey, result.axes):
            mean = local_mean(plane, counted[page], size) - offset
            mask[page] = _beside_mean(plane, mean, background)
    else:
        for index in group_indices(result.axes, grey.shape, per):
            level = global_threshold(_select(grey[index], counted[index]), method) if value is None else value
            mask[index] = _beyond(grey[index], level, background)
    if visible is not None:
        mask &= visible
    return result.with_pixels(np.multiply(mask, 255, dtype=np.uint8))


def _labels(properties: Properties, parameters: Parameters) -> Properties:
    _check_grey(properties.axes, properties.shape, "label")
    _least_pixels(properties, parameters)
    return _single_samples(properties)


def _check_connectivity(parameters: Parameters) -> None:
    if parameters["per"] == "plane" and parameters["connectivity"] > 2:  # noqa: PLR2004 - Y and X
        raise RecipeError("in a plane the connectivity is 1 or 2", "add per=volume, or give connectivity=2")


@image_filter(
    tiles="no",
    infer_output=_labels,
    check=_check_connectivity,
    libraries=("cv2",),
    examples=({}, {"per": "volume", "connectivity": 3}, {"min_area": "1um2"}),
)
def label(
    image: Image,
    *,
    connectivity: Annotated[int, Field(ge=1, le=3)] = 2,
    min_area: Annotated[Area, Field(ge=0)] = NO_AREA,
    clear_border: bool = False,
    per: Literal["plane", "volume"] = "plane",
) -> Image:
    """Number the objects of a mask: all touching pixels above 0 get the same number.

    Objects are numbered from 1 without gaps, in the order in which rows, read from the top, meet them.

    Parameters
    ----------
    connectivity
        Which pixels touch: 1, those that share a side; 2, also those that share an edge (in a plane: a
        corner); 3, in volumes, also those that share a corner.
    min_area
        Objects smaller than this are left out: pixels, or an area with a unit ("12um2"); from 0. In volumes:
        a number of voxels.
    clear_border
        Whether objects that touch the border of the image (along Y or X) are left out.
    per
        Where objects lie: in each "plane", numbered anew, or in each "volume" (Z, Y, X).

    Raises
    ------
    FilterError
        If the image is in colour, or an area with a unit is given for volumes.

    Notes
    -----
    Dtype: any → the smallest of uint8, uint16 and uint32 that holds the highest number in the image. NaN and
    wholly transparent pixels are background; alpha is dropped. Agrees with ``skimage.measure.label(image > 0)``.

    Examples
    --------
    >>> label(Image.from_array(np.array([[255, 0, 255], [0, 0, 255]], np.uint8))).pixels
    array([[1, 0, 2],
           [0, 0, 2]], dtype=uint8)
    """
    least = _least_pixels(image.properties, {"min_area": min_area, "per": per})
    if image.pixels.dtype.kind != "b":
        check_real(image.pixels, "label")
    grey, visible = _grey(image, "label")
    axes = image.axes.removesuffix("S")
    foreground = np.greater(grey, 0) if visible is None else np.greater(grey, 0) & visible
    depth = axes.index("Z") if per == "volume" and "Z" in axes else None
    if depth is not None:
        foreground = np.moveaxis(foreground, depth, -3)
    dimensions = 2 if depth is None else 3
    labels = label_components(foreground, dimensions, connectivity, least, clear_border=clear_border)
    if depth is not None:
        labels = np.ascontiguousarray(np.moveaxis(labels, -3, depth))
    return image.with_pixels(labels, axes)


def _check_grey(axes: str, shape: tuple[int, ...], name: str) -> None:
    if has_samples(axes) and shape[-1] != GREY_AND_ALPHA:
        raise FilterError(f"{name} works on grey images, not on colour", "add -f rgb2gray before it")


def _single_samples(properties: Properties) -> Properties:
    """The properties of a mask or of labels: bytes, without samples."""
    axes = properties.axes.removesuffix("S")
    return replace(properties, shape=properties.shape[: len(axes)], axes=axes, dtype=np.dtype(np.uint8))


def _grey(image: Image, name: str) -> tuple[Pixels, Bools | None]:
    """The grey levels without alpha, and where they are visible; None without alpha."""
    _check_grey(image.axes, image.pixels.shape, name)
    if not image.has_alpha:
        return image.pixels, None
    grey, alpha = image.pixels[..., 0], image.pixels[..., 1]
    straight = straight_colour(grey, opacity_of(alpha)) if image.metadata.premultiplied else grey
    return straight, np.greater(alpha, 0)


def _select(values: Pixels, counted: Bools) -> Pixels:
    return values if counted.all() else values[counted]


def _beyond(grey: Pixels, level: float, background: str) -> Bools:
    """Which pixels are objects, given the threshold; none for an infinite one."""
    if not math.isfinite(level):
        return np.zeros(grey.shape, np.bool_)
    limit = np.float64(level) if grey.dtype.kind == "f" else math.floor(level)
    objects: Bools = np.greater(grey, limit) if background == "dark" else np.less_equal(grey, limit)
    return objects


def _beside_mean(plane: Pixels, mean: Floats, background: str) -> Bools:
    """Which pixels are brighter, or darker, than the mean around them by more than its rounding."""
    rounding = ROUNDING * np.abs(mean).max()
    objects: Bools = np.greater(plane, mean + rounding) if background == "dark" else np.less(plane, mean - rounding)
    return objects


def _least_pixels(properties: Properties, parameters: Parameters) -> float:
    """The smallest object that counts, in pixels or voxels."""
    area: Area = parameters["min_area"]
    if parameters["per"] == "volume" and area.unit != "px":
        raise FilterError(f"{area} is no size of an object in a volume", "give min_area as a number of voxels")
    return area.in_pixels(properties.pixel_size)
