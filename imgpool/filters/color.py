"""Conversion of colour to grey levels: rgb2gray."""

from dataclasses import replace

import numpy as np

from imgpool.core.axes import Pixels, has_samples
from imgpool.core.dtypes import check_numeric, restore, to_float
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties

__all__ = ["rgb2gray"]

LUMA_WEIGHTS = (0.2125, 0.7154, 0.0721)
"""Rec. 709 luma of red, green and blue, as rounded by scikit-image; the sum is 1."""

RGB, RGBA = 3, 4


def _is_colour(axes: str, shape: tuple[int, ...]) -> bool:
    return has_samples(axes) and shape[-1] in {RGB, RGBA}


def _infer_grey(properties: Properties, _parameters: Parameters) -> Properties:
    if not _is_colour(properties.axes, properties.shape):
        return properties
    if properties.shape[-1] == RGBA:
        return replace(properties, shape=(*properties.shape[:-1], 2))
    return replace(properties, shape=properties.shape[:-1], axes=properties.axes.removesuffix("S"))


@image_filter(tiles="exact", infer_output=_infer_grey, libraries=("cv2",))
def rgb2gray(image: Image) -> Image:
    """Convert colour to grey levels by luminance.

    Computes ``0.2125 red + 0.7154 green + 0.0721 blue``. Alpha is kept as grey and alpha; a grey image stays unchanged.
    The colour profile is dropped, because it describes RGB.

    Notes
    -----
    Dtype: any integer or float → the same; integers are rounded. NaN in any sample gives NaN. Agrees with
    ``skimage.color.rgb2gray`` of the values as floats, without scaling to 0..1.

    Examples
    --------
    >>> rgb2gray(Image.from_array(np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8))).pixels
    array([[ 54, 255]], dtype=uint8)
    """
    check_numeric(image.pixels, "rgb2gray")
    if not _is_colour(image.axes, image.pixels.shape):
        return image
    grey = _luminance(image.pixels[..., :RGB])
    metadata = replace(image.metadata, icc=None)
    if not image.has_alpha:
        return replace(image, pixels=grey, axes=image.axes.removesuffix("S"), metadata=metadata)
    return replace(image, pixels=np.stack([grey, image.pixels[..., -1]], axis=-1), metadata=metadata)


def _luminance(colour: Pixels) -> Pixels:
    import cv2

    rows = np.ascontiguousarray(colour).reshape(-1, colour.shape[-2], RGB)
    values = rows if colour.dtype in (np.uint8, np.uint16) else to_float(rows)
    grey = cv2.transform(values, np.array([LUMA_WEIGHTS]))
    return restore(np.asarray(grey), colour.dtype).reshape(colour.shape[:-1])
