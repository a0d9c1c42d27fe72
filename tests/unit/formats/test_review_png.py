"""What the last review of PNG found."""

import numpy as np
import pytest

import imgpool
from imgpool.core.image import Image, Metadata
from imgpool.formats._chunk import Chunk

TEXTS = (Chunk(b"tEXt", b"Author\0Ada"), Chunk(b"tEXt", b"Comment\0dusk"))
COLOUR = (Chunk(b"sRGB", b"\0"), Chunk(b"gAMA", (45_455).to_bytes(4)))


@pytest.fixture
def source(tmp_path):
    """An image as it is read from a PNG with texts and statements about its colour."""
    metadata = Metadata(extra={"png_colour": COLOUR, "png_texts": TEXTS})
    assert imgpool.write(Image(np.zeros((4, 4, 3), np.uint8), "YXS", metadata=metadata), tmp_path / "a.png") == ()
    return imgpool.read(tmp_path / "a.png")


def test_texts_and_colour_are_kept_in_a_png(source):
    assert source.metadata.extra == {"png_colour": COLOUR, "png_texts": TEXTS}


@pytest.mark.parametrize("extension", ["jpg", "webp", "tif", "gif", "bmp", "npy"])
def test_texts_that_another_format_cannot_keep_are_told(source, tmp_path, extension):
    assert imgpool.write(source, tmp_path / f"a.{extension}") == ("texts",)
