"""Correction of uneven illumination: flat_field."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels, has_samples, page_shape
from imgpool.core.dtypes import OPENCV_ROUNDED_DEPTHS, Floats, check_numeric, restore, to_float, working_dtype
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.reference import Reference
from imgpool.filters._pixels.reference_images import format_size, read_reference, reference_properties
from imgpool.filters._pixels.statistics import map_groups

__all__ = ["flat_field"]

FRAMES = {"YX", "CYX", "YXS"}
"""Axes that a flat or dark frame may have."""

COLOURS = 3
MAX_OFFSET = 1e20  # more than any integer type holds


def _check(parameters: Parameters) -> None:
    flat = _frame_properties(parameters["flat"], "flat_field: flat")
    if parameters["dark"] is None:
        return
    if parameters["offset"] != 0:
        raise RecipeError("flat_field takes dark or offset, not both", "omit one of them")
    dark = _frame_properties(parameters["dark"], "flat_field: dark")
    if format_size(dark) != format_size(flat):
        raise RecipeError(
            f"flat_field: dark={parameters['dark']} is {format_size(dark)}, flat={parameters['flat']} is "
            f"{format_size(flat)}",
            "record both with the camera settings of the images",
        )
    if dark.axes not in {"YX", flat.axes} or (dark.axes != "YX" and dark.shape != flat.shape):
        raise RecipeError(
            f"flat_field: dark has {_format_channels(dark)}, flat {_format_channels(flat)}",
            "use a dark frame with a single plane, or with as many channels as flat",
        )


def _frame_properties(reference: Reference, owner: str) -> Properties:
    """Return the properties of a frame, checked."""
    properties = reference_properties(reference, owner)
    if properties.axes not in FRAMES or (has_samples(properties.axes) and properties.shape[-1] != COLOURS):
        raise RecipeError(
            f"{owner}={reference} has axes {properties.axes} and shape {properties.shape}; it must have one plane, one "
            "plane per channel, or RGB",
            "average it to one plane per channel, or estimate it with `imgpool estimate flat-field`",
        )
    return properties


def _examples(folder: Path, size: tuple[int, int]) -> list[Parameters]:
    y, x = (np.linspace(-1, 1, length) for length in size)
    flat = str(folder / "flat.npy")
    np.save(flat, np.rint(200 - 50 * ((y[:, np.newaxis] - 0.1) ** 2 + (x + 0.2) ** 2)).astype(np.uint8))
    return [{"flat": flat}, {"flat": flat, "offset": 20.5}]


@image_filter(tiles="no", check=_check, libraries=("cv2",), examples=_examples)
class flat_field:  # noqa: N801 - a filter's name
    """Correct uneven illumination with a flat-field and a dark-field image.

    Computes ``(image - dark) / (flat - dark) * mean(flat - dark)``, with the mean of each channel of the flat field.
    A frame with one plane applies to all planes and colour samples; one with channels (C) or RGB needs images with as
    many. Frames are not cropped or binned to fit. Where ``flat - dark`` is not above 0, as in dead pixels, the result
    is ``image - dark``. Alpha and NaN stay unchanged.

    Parameters
    ----------
    flat
        Image file of an evenly lit empty field, or one that ``imgpool estimate flat-field`` has estimated from the
        images themselves: one plane, one plane per channel, or RGB.
    dark
        Image file taken without light at the same exposure, of the same size.
    offset
        Grey level of the camera without light, instead of a dark frame, from -1e20 to 1e20.
    normalized
        Whether the dark level is already subtracted from `flat`, as in an estimate that was made with a dark frame.
        Then it is subtracted from the image only.

    Notes
    -----
    Dtype: any integer or float → the same, rounded and clipped. In unsigned types, pixels darker than the dark frame
    become 0.

    References
    ----------
    .. [1] J. A. Seibert, J. M. Boone, K. K. Lindfors, "Flat-field correction technique for digital detectors", Proc.
       SPIE 3336, 1998, doi:10.1117/12.317034.

    Examples
    --------
    In a recipe: ``- flat_field: {flat: flat.tif, dark: dark.tif}``
    """

    def __init__(
        self,
        *,
        flat: Reference,
        dark: Reference | None = None,
        offset: Annotated[float, Field(ge=-MAX_OFFSET, le=MAX_OFFSET)] = 0.0,
        normalized: bool = False,
    ) -> None:
        frame = read_reference(flat, "flat_field: flat")
        light = _by_channel(frame)
        self._frame = frame.properties
        self._darks = _Frames(_dark_level(dark, offset, light.shape))
        exposed = light if normalized else light - self._darks.exact
        if not (exposed > 0).any():
            raise WorkerError(
                f"flat_field: flat={flat} is nowhere brighter than the dark level",
                "if the dark level is subtracted from it already, add normalized=true",
            )
        self._gains = _Frames(np.stack([_gain(channel) for channel in exposed]))
        self._has_dark = bool(self._darks.exact.any())

    def __call__(self, image: Image) -> Image:
        """Correct one image; raise `FilterError` if the frames do not fit it."""
        check_numeric(image.pixels, "flat_field")
        self._check_fits(image)
        return map_groups(image, "image", image.pixels.dtype, lambda colour, _: self._correct(colour, image.axes))

    def _check_fits(self, image: Image) -> None:
        frame, properties = self._frame, image.properties
        if format_size(frame) != format_size(properties):
            raise FilterError(
                f"the flat frame is {format_size(frame)}, the image {format_size(properties)}",
                "record the flat frame with the same binning and region of the camera",
            )
        colours = properties.shape[-1] - image.has_alpha if image.has_samples else 1
        channels = properties.shape[properties.axes.index("C")] if "C" in properties.axes else 1
        expected = {"YX": (colours, channels), "YXS": (COLOURS, channels), "CYX": (colours, len(self._gains.exact))}
        if (colours, channels) != expected[frame.axes]:
            raise FilterError(
                f"the flat frame has {_format_channels(frame)}, the image {_format_channels(properties)}",
                "use a flat frame with a single plane, or with as many channels as the image",
            )

    def _correct(self, colour: Pixels, axes: str) -> Pixels:
        """Correct all planes of (…, Y, X) or (…, Y, X, S)."""
        floats = working_dtype(colour.dtype)
        darks, gains = self._darks.as_type(floats), self._gains.as_type(floats)
        result = np.empty(colour.shape, colour.dtype)
        for index in np.ndindex(page_shape(axes, colour.shape)):
            channel = index[axes.index("C")] if self._frame.axes == "CYX" else 0
            dark = darks[channel] if self._has_dark else None
            result[index] = _correct_plane(colour[index], dark, gains[channel])
        return result


class _Frames:
    """Planes of each channel, (C, Y, X) or (1, Y, X, S), converted to each float dtype once."""

    def __init__(self, exact: Floats) -> None:
        self.exact = exact
        self._by_dtype: dict[np.dtype[Any], Floats] = {exact.dtype: exact}

    def as_type(self, dtype: np.dtype[np.floating[Any]]) -> Floats:
        if dtype not in self._by_dtype:
            self._by_dtype[dtype] = self.exact.astype(dtype)
        return self._by_dtype[dtype]


def _by_channel(frame: Image) -> Floats:
    pixels = frame.pixels.astype(np.float64)
    return pixels if frame.axes == "CYX" else pixels[np.newaxis]


def _dark_level(dark: Reference | None, offset: float, shape: tuple[int, ...]) -> Floats:
    """Return the dark level to subtract, in the shape of the flat frame."""
    if dark is None:
        return np.full(shape, offset)
    frame = read_reference(dark, "flat_field: dark")
    level = _by_channel(frame)
    if frame.axes == "YX" and len(shape) > level.ndim:
        level = level[..., np.newaxis]  # the same for every sample
    return np.array(np.broadcast_to(np.nan_to_num(level), shape))


def _gain(exposed: Floats) -> Floats:
    """Return the factor for each pixel: the mean of its sample divided by its value, or 1 if that is not above 0."""
    is_lit = np.isfinite(exposed) & (exposed > 0)
    counts = is_lit.sum(axis=(0, 1))
    mean = np.where(is_lit, exposed, 0).sum(axis=(0, 1)) / np.maximum(counts, 1)
    gain: Floats = np.divide(mean, exposed, out=np.ones_like(exposed), where=is_lit)
    return gain


def _correct_plane(plane: Pixels, dark: Floats | None, gain: Floats) -> Pixels:
    """Compute ``(plane - dark) * gain`` in the dtype of the plane."""
    if plane.dtype in OPENCV_ROUNDED_DEPTHS and plane.shape == gain.shape:
        import cv2

        light = plane if dark is None else cv2.subtract(plane, dark, dtype=cv2.CV_32F)
        even = cv2.multiply(light, gain, dtype=getattr(cv2, OPENCV_ROUNDED_DEPTHS[plane.dtype]))
        return np.asarray(even).reshape(plane.shape)
    if plane.ndim > gain.ndim:  # a colour image and a frame with a single plane
        gain = gain[..., np.newaxis]
        dark = None if dark is None else dark[..., np.newaxis]
    values = to_float(plane) * gain if dark is None else (to_float(plane) - dark) * gain
    return restore(values, plane.dtype, reuse=True)


def _format_channels(properties: Properties) -> str:
    channels = properties.shape[properties.axes.index("C")] if "C" in properties.axes else 1
    if has_samples(properties.axes):
        return f"{properties.shape[-1]} samples per pixel" + (f" in {channels} channels" if channels > 1 else "")
    return f"{channels} channels" if channels > 1 else "one channel"
