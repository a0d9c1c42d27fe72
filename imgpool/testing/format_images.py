"""Images to write and read back, in the contract of formats."""

import itertools
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.format import Format
from imgpool.core.image import Image, Metadata

DTYPES = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
          "float16", "float32", "float64", "complex64")  # fmt: skip
KINDS = (
    ("YX", (12, 17)), ("YXS", (12, 17, 2)), ("YXS", (12, 17, 3)), ("YXS", (12, 17, 4)), ("IYX", (5, 4, 4)),
    ("ZYX", (3, 64, 64)), ("TCZYX", (2, 3, 4, 5, 6)), ("CZTYX", (2, 3, 4, 5, 6)), ("TYXS", (2, 12, 17, 3)),
)  # fmt: skip
EXIF = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x08\0\0\0\x26\0\0\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0TestCam\0"
"""An EXIF block with the camera "TestCam" and an orientation, whose value is byte 30."""


def noise(dtype: str, shape: tuple[int, ...]) -> Pixels:
    """Return random values: integers over the whole range of the dtype, floats around 0."""
    random = np.random.default_rng(3)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        integers: Any = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        return integers  # type: ignore[no-any-return]
    if dtype == "bool":
        return np.greater(random.random(shape), 0.5)
    return (random.standard_normal(shape) * 100).astype(dtype)


def example(format_: Format, height: int = 40, width: int = 53, **metadata: Any) -> Image:  # noqa: ANN401 - any field
    """Make an image that the format can hold: the simplest of several kinds."""
    kinds = itertools.product(("uint8", "uint16", "float32"), (("YX", ()), ("YXS", (3,)), ("YXS", (4,))))
    for dtype, (axes, samples) in kinds:
        image = Image(np.zeros((height, width, *samples), dtype), axes, metadata=Metadata(**metadata))
        if format_.can_hold(image.properties):
            return image.with_pixels(noise(dtype, image.pixels.shape))
    raise AssertionError(f"{format_.name} can hold neither 8-bit, 16-bit nor float images, grey or RGB")


def few_levels(shape: tuple[int, ...]) -> Pixels:
    """Return random values of only four grey levels, which formats with a palette can hold too."""
    return np.bitwise_and(noise("uint8", shape), 0b11000000)


def icc_profile() -> bytes:
    """Return the sRGB profile."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
