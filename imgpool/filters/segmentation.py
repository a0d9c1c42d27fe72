"""Segmentation into masks and labels: threshold, label."""

import math
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from imgpool.core.axes import Bools, Pixels, has_samples, iter_planes
from imgpool.core.dtypes import Floats, check_numeric, check_real
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Properties
from imgpool.core.parameters import Unbounded
from imgpool.core.quantity import Area
from imgpool.filters._kernels.components import label_components
from imgpool.filters._kernels.neighbourhood import Size
from imgpool.filters._kernels.thresholds import Method, global_threshold, local_mean
from imgpool.filters._pixels.alpha import opacity_of, straight_colour
from imgpool.filters._pixels.statistics import Per, group_indices

__all__ = ["label", "threshold"]

GREY_AND_ALPHA = 2
DEFAULT_LOCAL_SIZE_PX = 51

MEAN_TOLERANCE = 1e-10
"""Rounding error of the mean of equal pixels, as a share of the largest mean."""

NO_AREA = Area(0.0)
Grey = Annotated[float, Unbounded("a grey level")]


def _infer_mask(properties: Properties, _parameters: Parameters) -> Properties:
    _check_grey(properties.axes, properties.shape, "threshold")
    return _single_samples(properties)


def _check_threshold(parameters: Parameters) -> None:
    if parameters["value"] is not None and parameters["method"] != "otsu":
        raise RecipeError("threshold takes a value or a method, not both", "omit one of them")
    if parameters["method"] != "local" and (parameters["size"] != DEFAULT_LOCAL_SIZE_PX or parameters["offset"]):
        raise RecipeError("threshold: size and offset apply to the method local only", "add method=local, or omit them")


@image_filter(
    tiles="no",
    infer_output=_infer_mask,
    check=_check_threshold,
    libraries=("cv2", "scipy.ndimage", "skimage.filters"),
    examples=({}, {"method": "local", "size": 5}, {"value": 100, "background": "bright", "per": "image"}),
)
def threshold(
    image: Image,
    *,
    method: Literal[Method, "local"] = "otsu",
    value: Grey | None = None,
    background: Literal["dark", "bright"] = "dark",
    per: Per = "channel",
    size: Annotated[Size, Field(ge=3)] = DEFAULT_LOCAL_SIZE_PX,
    offset: Grey = 0,
) -> Image:
    """Separate objects from the background: a mask of 255 and 0.

    NaN and fully transparent pixels become 0. They and infinities do not affect the threshold. A constant image has no
    objects: its mask is 0.

    Parameters
    ----------
    method
        How to find the threshold: from the grey levels of a group of pixels ("otsu", "li", "triangle", "yen",
        "isodata", "mean" or "minimum"), or for each pixel from its neighbourhood ("local").
    value
        A grey level to use as the threshold, instead of a method.
    background
        "dark": objects are brighter than the threshold; "bright": objects are all other pixels.
    per
        Pixels that share one threshold: each "channel" of a stack, each "plane", or the whole "image".
    size
        For "local": side of the neighbourhood in pixels, odd, from 3 to 8191. Its mean is weighted by a Gaussian.
    offset
        For "local": grey levels by which the threshold lies below the mean.

    Raises
    ------
    FilterError
        If the image is in colour.

    Notes
    -----
    Dtype: any integer or float → uint8, 0 or 255; alpha is dropped. Agrees with ``image >
    skimage.filters.threshold_<method>(image)``. Floats, and integers that span more than 65,536 levels, are binned to
    256 bins.

    References
    ----------
    .. [1] M. Sezgin, B. Sankur, "Survey over image thresholding techniques and quantitative performance evaluation",
       J. Electron. Imaging 13(1), pp. 146-165, 2004, doi:10.1117/1.1631315.

    Examples
    --------
    >>> threshold(Image.from_array(np.array([[10, 12, 200]], np.uint8))).pixels
    array([[  0,   0, 255]], dtype=uint8)
    """
    check_numeric(image.pixels, "threshold")
    grey, visible = _grey(image, "threshold")
    valid = np.isfinite(grey) if visible is None else np.isfinite(grey) & visible
    result = replace(image, pixels=grey, axes=image.axes.removesuffix("S"))
    mask = np.zeros(grey.shape, np.bool_)
    if method == "local":
        for page, plane in iter_planes(grey, result.axes):
            mean = local_mean(plane, valid[page], size) - offset
            mask[page] = _compare_with_mean(plane, mean, background)
    else:
        for index in group_indices(result.axes, grey.shape, per):
            level = global_threshold(_select(grey[index], valid[index]), method) if value is None else value
            mask[index] = _compare_with_level(grey[index], level, background)
    if visible is not None:
        mask &= visible
    return result.with_pixels(np.multiply(mask, 255, dtype=np.uint8))


def _infer_labels(properties: Properties, parameters: Parameters) -> Properties:
    _check_grey(properties.axes, properties.shape, "label")
    _min_pixels(properties, parameters)
    return _single_samples(properties)


def _check_connectivity(parameters: Parameters) -> None:
    if parameters["per"] == "plane" and parameters["connectivity"] > 2:  # noqa: PLR2004 - Y and X
        raise RecipeError("label: the connectivity of planes is 1 or 2", "add per=volume, or give connectivity=2")


@image_filter(
    tiles="no",
    infer_output=_infer_labels,
    check=_check_connectivity,
    libraries=("cv2",),
    examples=({}, {"per": "volume", "connectivity": 3}, {"min_area": "1um2"}),
)
def label(
    image: Image,
    *,
    connectivity: Annotated[int, Field(ge=1, le=3)] = 2,
    min_area: Annotated[Area, Field(ge=0), Unbounded("a larger area removes every object")] = NO_AREA,
    clear_border: bool = False,
    per: Literal["plane", "volume"] = "plane",
) -> Image:
    """Number the objects of a mask: connected pixels above 0 get the same number.

    Objects are numbered from 1 without gaps, in raster order of their first pixel.

    Parameters
    ----------
    connectivity
        Which pixels are connected: 1, those that share a side; 2, also those that share an edge (in a plane: a corner);
        3, in volumes, also those that share a corner.
    min_area
        Smaller objects are removed: in pixels, or an area with a unit ("12um2"), from 0. For volumes a number of
        voxels.
    clear_border
        Whether objects that touch the border of the image (along Y or X) are removed.
    per
        Whether objects are connected within each "plane", and numbered from 1 in each, or within each "volume" (Z, Y,
        X).

    Raises
    ------
    FilterError
        If the image is in colour, or an area with a unit is given for volumes.

    Notes
    -----
    Dtype: any → the smallest of uint8, uint16 and uint32 that holds the highest number in the image. NaN and fully
    transparent pixels are background; alpha is dropped. Agrees with ``skimage.measure.label(image > 0)``.

    Examples
    --------
    >>> label(Image.from_array(np.array([[255, 0, 255], [0, 0, 255]], np.uint8))).pixels
    array([[1, 0, 2],
           [0, 0, 2]], dtype=uint8)
    """
    min_pixels = _min_pixels(image.properties, {"min_area": min_area, "per": per})
    if image.pixels.dtype.kind != "b":
        check_real(image.pixels, "label")
    grey, visible = _grey(image, "label")
    axes = image.axes.removesuffix("S")
    foreground = np.greater(grey, 0) if visible is None else np.greater(grey, 0) & visible
    depth = axes.index("Z") if per == "volume" and "Z" in axes else None
    if depth is not None:
        foreground = np.moveaxis(foreground, depth, -3)
    dimensions = 2 if depth is None else 3
    labels = label_components(foreground, dimensions, connectivity, min_pixels, clear_border=clear_border)
    if depth is not None:
        labels = np.ascontiguousarray(np.moveaxis(labels, -3, depth))
    return image.with_pixels(labels, axes)


def _check_grey(axes: str, shape: tuple[int, ...], name: str) -> None:
    if has_samples(axes) and shape[-1] != GREY_AND_ALPHA:
        raise FilterError(
            f"{name} needs a grey image, and this one is in colour", f"add {Hint('filters', 'rgb2gray')} before it"
        )


def _single_samples(properties: Properties) -> Properties:
    """Return the properties of a mask or of labels: uint8, without samples."""
    axes = properties.axes.removesuffix("S")
    return replace(properties, shape=properties.shape[: len(axes)], axes=axes, dtype=np.dtype(np.uint8))


def _grey(image: Image, name: str) -> tuple[Pixels, Bools | None]:
    """Return the grey levels without alpha, and the mask of visible pixels; None if there is no alpha."""
    _check_grey(image.axes, image.pixels.shape, name)
    if not image.has_alpha:
        return image.pixels, None
    grey, alpha = image.pixels[..., 0], image.pixels[..., 1]
    straight = straight_colour(grey, opacity_of(alpha)) if image.metadata.premultiplied else grey
    return straight, np.greater(alpha, 0)


def _select(values: Pixels, valid: Bools) -> Pixels:
    return values if valid.all() else values[valid]


def _compare_with_level(grey: Pixels, level: float, background: str) -> Bools:
    """Return the mask of objects for one threshold: nothing if the threshold is infinite."""
    if not math.isfinite(level):
        return np.zeros(grey.shape, np.bool_)
    limit = np.float64(level) if grey.dtype.kind == "f" else math.floor(level)
    objects: Bools = np.greater(grey, limit) if background == "dark" else np.less_equal(grey, limit)
    return objects


def _compare_with_mean(plane: Pixels, mean: Floats, background: str) -> Bools:
    """Return the mask of pixels that are brighter, or darker, than the mean by more than its rounding error."""
    tolerance = MEAN_TOLERANCE * np.abs(mean).max()
    objects: Bools = np.greater(plane, mean + tolerance) if background == "dark" else np.less(plane, mean - tolerance)
    return objects


def _min_pixels(properties: Properties, parameters: Parameters) -> float:
    """Return the size of the smallest object to keep, in pixels or voxels."""
    area: Area = parameters["min_area"]
    if parameters["per"] == "volume" and area.unit != "px":
        raise FilterError(
            f"label: min_area={area} is an area, and objects in volumes are measured in voxels",
            "give a number without a unit, for example min_area=40",
        )
    return area.in_pixels(properties.pixel_size)
