"""Refusals name the remedy in terms of the command line."""

from pathlib import Path

import numpy as np
import pytest

from imgpool.core.errors import WriteError
from imgpool.core.format import Format
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.refusal import refuse


class Album(Format):
    """Holds one opaque page of 8 bits."""

    name = "album"
    extensions = (".alb",)
    holds = "one opaque page of 8 bits"
    depths: tuple[str, ...] = ("uint8",)

    def can_hold(self, properties):
        return properties.axes in {"YX", "YXS"} and properties.shape[-1] != 4 and properties.dtype.name in self.depths

    def open(self, path: Path):
        raise NotImplementedError

    def write(self, image: Image, path: Path):  # noqa: ARG002 - as every format's
        raise refuse(self, image.properties)


class DeepAlbum(Album):
    """As `Album`, with 16 bits as well."""

    depths = ("uint8", "uint16")


@pytest.mark.parametrize(("target", "dtype", "axes", "shape", "hint"), [
    (Album, "uint16", "YX", (4, 5), "add -f rescale_intensity:out=uint8, or --to tiff"),
    (Album, "float32", "YXS", (4, 5, 3), "add -f rescale_intensity:out=uint8, or --to tiff"),
    (Album, "uint8", "IYX", (3, 4, 5), "--to tiff"),
    (Album, "uint16", "ZYX", (3, 4, 5), "--to tiff"),
    (Album, "uint8", "YXS", (3, 5, 4), "--to png or tiff"),
    (DeepAlbum, "uint16", "YXS", (3, 5, 4), "--to png or tiff"),
    (DeepAlbum, "int32", "YX", (3, 5), "add -f rescale_intensity:out=uint8, or --to tiff"),
    (Album, "uint8", "TYXS", (2, 3, 5, 4), "--to tiff"),
    (Album, "uint16", "YXS", (3, 5, 4), "--to tiff"),
    (Album, "bool", "YX", (3, 5), "make it a mask of 0 and 255: uint8"),
])  # fmt: skip
def test_the_hint_is_what_would_do(target, dtype, axes, shape, hint):
    error = refuse(target(), Properties(shape, np.dtype(dtype), axes, PixelSize(0.1, 0.1)))
    assert isinstance(error, WriteError)
    assert error.hint == hint


def test_the_message_says_what_is_held_and_what_this_is():
    error = refuse(Album(), Properties((3, 64, 65), np.dtype(np.uint16), "ZYX"))
    assert error.message == "ALBUM holds one opaque page of 8 bits; this is uint16 ZYX of shape 3×64×65"
