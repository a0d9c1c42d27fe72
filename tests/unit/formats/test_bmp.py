"""BMP files of other programs."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.formats.bmp import BMP
from tests.support.photos import noise, scene
from tests.support.tools import run_tool


@pytest.mark.parametrize("arguments", [[], ["-type", "palette"], ["-compress", "RLE", "-type", "palette"],
                                       ["-define", "bmp:format=bmp2"], ["-define", "bmp:format=bmp3"]])  # fmt: skip
def test_bmp_of_imagemagick_is_read(tmp_path, arguments):
    pixels = scene() // 64 * 64
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    run_tool("convert", tmp_path / "a.png", *arguments, tmp_path / "b.bmp")
    back = BMP.read(tmp_path / "b.bmp")
    assert np.array_equal(back.pixels, pixels)
    assert back.properties == BMP.properties(tmp_path / "b.bmp")


def test_one_bit_bmp_is_read_as_grey(tmp_path):
    pixels = (noise((9, 13)) > 128) * np.uint8(255)
    PillowImage.fromarray(pixels).convert("1").save(tmp_path / "a.bmp")
    back = BMP.read(tmp_path / "a.bmp")
    assert back.axes == "YX"
    assert np.array_equal(back.pixels, pixels)


def test_alpha_is_read(tmp_path):
    pixels = noise((9, 13, 4))
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    run_tool("convert", tmp_path / "a.png", tmp_path / "b.bmp")
    assert np.array_equal(BMP.read(tmp_path / "b.bmp").pixels, pixels)
