"""Colour deconvolution of stained tissue: separate_stains, combine_stains."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels, has_samples, map_planes
from imgpool.core.dtypes import Floats, check_real, full_scale
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.parameters import described_as
from imgpool.core.reference import Reference
from imgpool.filters._kernels.stain_matrix import StainMatrix
from imgpool.filters._pixels.alpha import opacity_of, straight_colour
from imgpool.filters._pixels.point_operations import map_values

__all__ = ["combine_stains", "separate_stains"]

FromRgb = Literal[
    "hed_from_rgb", "hdx_from_rgb", "fgx_from_rgb", "bex_from_rgb", "rbd_from_rgb", "gdx_from_rgb",
    "hax_from_rgb", "bro_from_rgb", "bpx_from_rgb", "ahx_from_rgb", "hpx_from_rgb",
]  # fmt: skip
ToRgb = Literal[
    "rgb_from_hed", "rgb_from_hdx", "rgb_from_fgx", "rgb_from_bex", "rgb_from_rbd", "rgb_from_gdx",
    "rgb_from_hax", "rgb_from_bro", "rgb_from_bpx", "rgb_from_ahx", "rgb_from_hpx",
]  # fmt: skip

NAMES_BEFORE_FILES = Field(union_mode="left_to_right")
"""The name of a matrix takes precedence over a file of that name."""

FromRgbOrFile = Annotated[
    FromRgb | Reference,
    NAMES_BEFORE_FILES,
    described_as("the name of a matrix, for example 'hed_from_rgb', or an existing file"),
]
ToRgbOrFile = Annotated[
    ToRgb | Reference,
    NAMES_BEFORE_FILES,
    described_as("the name of a matrix, for example 'rgb_from_hed', or an existing file"),
]

FLOAT32 = np.dtype(np.float32)
COLOURS = 3
MIN_TRANSMITTANCE = 1e-6
"""Share of light below which values are clipped, as in scikit-image."""

UNIT_DENSITY = -math.log(MIN_TRANSMITTANCE)
"""Natural optical density of `MIN_TRANSMITTANCE`, the unit of stain amounts in scikit-image."""


def _check(parameters: Parameters) -> None:
    if isinstance(parameters["matrix"], Reference):
        try:
            StainMatrix.load(parameters["matrix"])
        except (ValueError, OSError) as error:
            raise RecipeError(*_message_and_hint(parameters["matrix"], error)) from error


def _load(matrix: str | Reference) -> StainMatrix:
    try:
        return StainMatrix.load(matrix)
    except (ValueError, OSError) as error:
        raise WorkerError(*_message_and_hint(matrix, error)) from error


def _message_and_hint(matrix: str | Reference, error: Exception) -> tuple[str, str]:
    hint = 'write {"stains": ["hematoxylin", "eosin", "dab"], "matrix": [[0.65, 0.70, 0.29], …]}'
    if isinstance(error, OSError):
        return f"the stain matrix {matrix} cannot be read: {error.strerror or error}", "check the file"
    return f"the stain matrix {matrix} {error}", hint


def _infer_separated(properties: Properties, _parameters: Parameters) -> Properties:
    _check_colour(properties)
    axes, shape = properties.axes.removesuffix("YXS"), properties.shape
    return replace(
        properties, shape=(*shape[:-3], COLOURS, *shape[-3:-1]), axes=f"{axes}CYX", dtype=FLOAT32
    )  # fmt: skip


def _check_colour(properties: Properties) -> None:
    if not has_samples(properties.axes) or properties.shape[-1] < COLOURS or "C" in properties.axes:
        raise FilterError(
            f"separate_stains needs RGB, and the image has axes {properties.axes} and shape {properties.shape}",
            "remove grey images from the input folder",
        )


def _examples(folder: Path, _size: tuple[int, int]) -> list[Parameters]:
    matrix = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]
    file = folder / "stains.json"
    file.write_text(json.dumps({"name": "example", "stains": ["violet", "red", "brown"], "matrix": matrix}), "utf-8")
    return [{}, {"matrix": str(file)}]


@image_filter(
    tiles="exact", check=_check, infer_output=_infer_separated, libraries=("cv2", "skimage.color"), examples=_examples
)
class separate_stains:  # noqa: N801 - a filter's name
    """Separate an RGB image of stained tissue into one channel per stain.

    Colour deconvolution: the optical density in red, green and blue is the sum of what each stain absorbs. The result
    is a grey image in which the axis C replaces the samples, with the names of the stains as channel names. A stain
    with an amount of 1 absorbs all but a millionth of the light. Alpha is dropped, and fully transparent pixels have
    no stain. The colour profile is dropped, because it describes RGB. NaN in any sample gives NaN in every stain.

    Parameters
    ----------
    matrix
        Name of a matrix of scikit-image, such as hed_from_rgb (hematoxylin, eosin, DAB), or a JSON file:
        ``{"name": "our lab", "stains": ["hematoxylin", "eosin", "dab"], "matrix": [[…], […], […]]}`` with one row per
        stain, its optical density in red, green and blue.

    Notes
    -----
    Dtype: any integer or float type → float32. Integers are divided by the largest value of their type; for floats 1
    is white. Agrees with ``skimage.color.separate_stains(image, matrix)``.

    References
    ----------
    .. [1] A. C. Ruifrok, D. A. Johnston, "Quantification of histochemical staining by color deconvolution", Anal.
       Quant. Cytol. Histol. 23(4), pp. 291-299, 2001.

    Examples
    --------
    >>> purple = np.full((1, 1, 3), [120, 60, 150], np.uint8)
    >>> separate_stains(Image(purple, "YXS"), matrix="hed_from_rgb").pixels.ravel().round(3)
    array([0.072, 0.045, 0.016], dtype=float32)
    """

    def __init__(self, *, matrix: FromRgbOrFile = "hed_from_rgb") -> None:
        loaded = _load(matrix)
        self._stains = loaded.stains
        self._from_density = np.linalg.inv(loaded.densities).T

    def __call__(self, image: Image) -> Image:
        """Separate the stains of one image; raise `FilterError` if it is not RGB."""
        check_real(image.pixels, "separate_stains")
        _check_colour(image.properties)
        premultiplied = image.metadata.premultiplied
        pixels = map_planes(lambda plane: self._separate(plane, premultiplied=premultiplied), image.pixels, image.axes)
        metadata = replace(image.metadata, icc=None, channel_names=self._stains, premultiplied=False)
        return replace(image, pixels=pixels, axes=image.axes.replace("YXS", "CYX"), metadata=metadata)

    def _separate(self, plane: Pixels, *, premultiplied: bool) -> Pixels:
        """Compute the stains (3, Y, X) of a plane (Y, X, S)."""
        colour = plane[..., :COLOURS]
        opacity = opacity_of(plane[..., COLOURS:]) if plane.shape[-1] > COLOURS else None
        if opacity is not None and premultiplied:
            colour = straight_colour(colour, opacity)
        stains = _transform_samples(_density(colour), self._from_density)
        np.maximum(stains, 0, out=stains)
        if opacity is not None:
            stains[opacity[..., 0] == 0] = 0
        return np.ascontiguousarray(np.moveaxis(stains, -1, 0))


def _infer_combined(properties: Properties, _parameters: Parameters) -> Properties:
    _check_stains(properties)
    c = properties.axes.index("C")
    shape = (*properties.shape[:c], *properties.shape[c + 1 :], COLOURS)
    return replace(properties, shape=shape, axes=f"{properties.axes.replace('C', '')}S", dtype=FLOAT32)


def _check_stains(properties: Properties) -> None:
    axes = properties.axes
    if has_samples(axes) or "C" not in axes or properties.shape[axes.index("C")] != COLOURS:
        raise FilterError(
            f"combine_stains needs three channels, and the image has axes {axes} and shape {properties.shape}",
            "apply separate_stains before it, or remove these images from the input folder",
        )


@image_filter(
    tiles="exact", check=_check, infer_output=_infer_combined, libraries=("cv2", "skimage.color"), examples=_examples
)
class combine_stains:  # noqa: N801 - a filter's name
    """Combine three stain channels into an RGB image.

    The inverse of `separate_stains`: samples red, green and blue replace the axis C. NaN in any stain gives NaN in
    every sample.

    Parameters
    ----------
    matrix
        Name of a matrix of scikit-image, such as rgb_from_hed (hematoxylin, eosin, DAB), or a JSON file as for
        `separate_stains`.

    Notes
    -----
    Dtype: any integer or float type → float32 from 0 to 1; convert it to 8 bits with ``to_uint8:in=dtype``. Integers
    are divided by the largest value of their type. Agrees with ``skimage.color.combine_stains(image, matrix)``.

    References
    ----------
    .. [1] A. C. Ruifrok, D. A. Johnston, "Quantification of histochemical staining by color deconvolution", Anal.
       Quant. Cytol. Histol. 23(4), pp. 291-299, 2001.

    Examples
    --------
    >>> stains = np.reshape(np.float32([0.1, 0, 0]), (3, 1, 1))
    >>> combine_stains(Image(stains, "CYX")).pixels.ravel().round(3)
    array([0.407, 0.38 , 0.67 ], dtype=float32)
    """

    def __init__(self, *, matrix: ToRgbOrFile = "rgb_from_hed") -> None:
        self._to_density = _load(matrix).densities.T

    def __call__(self, image: Image) -> Image:
        """Combine the stains of one image; raise `FilterError` unless it has three channels."""
        check_real(image.pixels, "combine_stains")
        _check_stains(image.properties)
        stains = np.moveaxis(image.pixels, image.axes.index("C"), -1)
        axes = f"{image.axes.replace('C', '')}S"
        metadata = replace(image.metadata, channel_names=())
        return replace(image, pixels=map_planes(self._combine, stains, axes), axes=axes, metadata=metadata)

    def _combine(self, plane: Pixels) -> Pixels:
        """Compute the colours (Y, X, 3) of stains (Y, X, 3)."""
        shares = plane.astype(FLOAT32) / FLOAT32.type(full_scale(plane.dtype))
        density = _transform_samples(shares, self._to_density)
        density *= -UNIT_DENSITY
        with np.errstate(over="ignore"):
            light: Floats = np.exp(density, out=density)
        return np.clip(light, 0, 1, out=light)


def _density(colour: Pixels) -> Floats:
    """Compute the optical density of every sample, in units of `UNIT_DENSITY`."""
    white = full_scale(colour.dtype)

    def density(values: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.log(np.maximum(values / white, MIN_TRANSMITTANCE)) / -UNIT_DENSITY)

    densities: Floats = np.asarray(map_values(density, colour, FLOAT32), FLOAT32)
    return densities


def _transform_samples(values: Floats, matrix: Floats) -> Floats:
    """Multiply every pixel of (Y, X, 3) by a (3, 3) matrix from the left; NaN in one sample gives NaN in all."""
    import cv2

    transformed: Floats = np.asarray(cv2.transform(np.ascontiguousarray(values), matrix)).reshape(values.shape)
    return transformed
