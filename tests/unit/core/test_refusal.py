"""The error for an image that a format cannot store names the obstacle and the remedy."""

from pathlib import Path

import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import WriteError
from imgpool.core.format import Format
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.refusal import refuse

TO_8_BIT = 'add `filters=["rescale_intensity:out=uint8"]`, or `to="tiff"`'
TO_TIFF = 'add `to="tiff"`'
TO_PNG_OR_TIFF = 'add `to="png"` or `to="tiff"`'


class Album(Format):
    """Holds one opaque page of 8 bits, at most 100 pixels wide and high."""

    name = "album"
    extensions = (".alb",)
    holds = "one opaque page of 8 bits"
    depths: tuple[str, ...] = ("uint8",)

    def can_hold(self, properties):
        return (
            properties.axes in {"YX", "YXS"}
            and properties.shape[2:] in {(), (3,)}
            and properties.dtype.name in self.depths
            and max(properties.shape[:2]) <= 100
        )

    def open(self, path: Path):
        raise NotImplementedError

    def write(self, image: Image, path: Path):  # noqa: ARG002 - as every format's
        raise refuse(self, image.properties)


class DeepAlbum(Album):
    """As `Album`, with 16 bits as well."""

    depths = ("uint8", "uint16")


@pytest.mark.parametrize(("target", "dtype", "axes", "shape", "hint"), [
    (Album, "uint16", "YX", (4, 5), TO_8_BIT),
    (Album, "float32", "YXS", (4, 5, 3), TO_8_BIT),
    (Album, "uint8", "IYX", (3, 4, 5), TO_TIFF),
    (Album, "uint16", "ZYX", (3, 4, 5), TO_TIFF),
    (Album, "uint8", "YXS", (3, 5, 4), TO_PNG_OR_TIFF),
    (DeepAlbum, "uint16", "YXS", (3, 5, 4), TO_PNG_OR_TIFF),
    (DeepAlbum, "int32", "YX", (3, 5), TO_8_BIT),
    (Album, "uint8", "TYXS", (2, 3, 5, 4), TO_TIFF),
    (Album, "uint16", "YXS", (3, 5, 4), TO_TIFF),
    (Album, "bool", "YX", (3, 5), "convert it to uint8: a mask of 0 and 255"),
])  # fmt: skip
def test_hint_names_what_would_work(target, dtype, axes, shape, hint):
    error = refuse(target(), Properties(shape, np.dtype(dtype), axes, PixelSize(0.1, 0.1)))
    assert isinstance(error, WriteError)
    assert error.hint == hint


@pytest.mark.parametrize(("dtype", "axes", "shape", "obstacle"), [
    ("uint8", "YXS", (4, 5, 4), "transparency"),
    ("uint8", "YXS", (4, 5, 2), "transparency"),
    ("uint16", "YX", (4, 5), "16-bit values"),
    ("int16", "YX", (4, 5), "signed 16-bit values"),
    ("float32", "YX", (4, 5), "floating-point values"),
    ("bool", "YX", (4, 5), "true/false values"),
    ("uint8", "IYX", (5, 4, 5), "5 pages"),
    ("uint8", "CZYX", (3, 1, 4, 5), "3 channels × 1 slice"),
    ("uint8", "YX", (4, 2000), "a size of 2,000 × 4 pixels"),
    ("uint16", "TYXS", (2, 4, 5, 4), "2 frames, transparency and 16-bit values"),
])  # fmt: skip
def test_message_names_every_obstacle(dtype, axes, shape, obstacle):
    error = refuse(Album(), Properties(shape, np.dtype(dtype), axes))
    assert error.message == f"ALBUM cannot store {obstacle}"


@pytest.mark.parametrize(("target", "axes", "shape", "message"), [
    ("webp", "YX", (4, 5), "WEBP cannot store grey values"),
    ("webp", "YXS", (4, 5, 2), "WEBP cannot store grey values with transparency"),
    ("npy", "IYX", (7, 4, 5), "NPY cannot store the axes IYX"),
    ("npy", "ZYX", (7, 4, 3), "NPY cannot store this image; it holds integers"),
])  # fmt: skip
def test_message_for_a_built_in_format(target, axes, shape, message):
    error = refuse(FORMATS[target], Properties(shape, np.dtype("uint8"), axes))
    assert error.message.startswith(message)


class GreyAlbum(Album):
    """Holds one grey page of 16 bits."""

    def can_hold(self, properties):
        return properties.axes == "YX" and properties.dtype == np.uint16


@pytest.mark.parametrize(("dtype", "axes", "shape", "obstacle"), [
    ("uint16", "YXS", (4, 5, 3), "colours"),
    ("uint16", "YXS", (4, 5, 4), "colours with transparency"),
    ("uint16", "YXS", (4, 5, 2), "transparency"),
    ("uint8", "YX", (4, 5), "8-bit values"),
    ("uint16", "ZYX", (3, 4, 5), "3 slices"),
])  # fmt: skip
def test_obstacles_of_a_format_of_grey_images(dtype, axes, shape, obstacle):
    error = refuse(GreyAlbum(), Properties(shape, np.dtype(dtype), axes))
    assert error.message == f"ALBUM cannot store {obstacle}"
