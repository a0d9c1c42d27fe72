"""GIF: palettes, transparency, and the number of colours."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import WriteError
from imgpool.formats.gif import GIF
from tests.support.photos import image, noise, scene, write_and_read
from tests.support.tools import run_tool


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.full((4, 4, 3), 1), np.indices((4, 4, 3))[1]])
def test_rgb_with_only_grey_colours_stays_rgb(tmp_path, pixels):
    back, _ = write_and_read(GIF, tmp_path / "a.gif", image(pixels.astype(np.uint8)))
    assert np.array_equal(back.pixels, pixels)


def test_grey_of_few_levels_stays_grey(tmp_path):
    pixels = noise((9, 13)) // 64 * 64
    back, _ = write_and_read(GIF, tmp_path / "a.gif", image(pixels))
    assert np.array_equal(back.pixels, pixels)


def test_256_colours_are_stored_and_257_refused(tmp_path):
    pixels = np.zeros((1, 257, 3), np.uint8)
    pixels[0, :, 0] = np.arange(257) % 256
    pixels[0, 256, 1] = 1
    back, _ = write_and_read(GIF, tmp_path / "a.gif", image(pixels[:, :256]))
    assert np.array_equal(back.pixels, pixels[:, :256])
    with pytest.raises(WriteError, match="it has 257") as caught:
        GIF.write(image(pixels), tmp_path / "b.gif")
    assert "colors=256" in caught.value.hint
    assert not (tmp_path / "b.gif").exists()


@pytest.mark.parametrize("dither", [False, True])
def test_colours_are_reduced_on_request(tmp_path, dither):
    back, _ = write_and_read(GIF, tmp_path / "a.gif", image(scene()), colors=32, dither=dither)
    assert len(np.unique(back.pixels.reshape(-1, 3), axis=0)) <= 32
    assert np.abs(back.pixels.astype(int) - scene()).mean() < 20


def test_transparent_gif_is_read_as_rgba(tmp_path):
    pixels = noise((9, 13, 4))
    pixels[..., 3] = np.where(pixels[..., 3] > 128, 255, 0)
    PillowImage.fromarray(pixels[..., :3]).quantize(32).save(tmp_path / "a.gif", transparency=5)
    with PillowImage.open(tmp_path / "a.gif") as picture:
        twin = np.asarray(picture.convert("RGBA"))
    back = GIF.read(tmp_path / "a.gif")
    assert np.array_equal(back.pixels, twin)
    assert set(np.unique(back.pixels[..., 3])) == {0, 255}
    assert back.properties == GIF.properties(tmp_path / "a.gif")


def test_gif_of_imagemagick_is_read(tmp_path):
    pixels = scene() // 64 * 64
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    run_tool("convert", tmp_path / "a.png", "-interlace", "GIF", tmp_path / "b.gif")
    assert np.array_equal(GIF.read(tmp_path / "b.gif").pixels, pixels)
