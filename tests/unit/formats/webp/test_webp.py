"""WebP: lossless and lossy, with alpha."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import WriteError
from imgpool.formats.webp import WEBP
from tests.support.photos import exif, image, noise, scene, write_and_read


def test_webp_is_lossy_only_on_request_or_for_a_lossy_source(tmp_path):
    def lossy(path):
        return b"VP8 " in path.read_bytes()

    original = image(noise((9, 13, 3)))
    WEBP.write(original, tmp_path / "a.webp")
    assert not lossy(tmp_path / "a.webp")
    WEBP.write(original, tmp_path / "b.webp", quality=80)
    assert lossy(tmp_path / "b.webp")
    WEBP.write(WEBP.read(tmp_path / "b.webp"), tmp_path / "c.webp")
    assert lossy(tmp_path / "c.webp")
    WEBP.write(WEBP.read(tmp_path / "b.webp"), tmp_path / "d.webp", lossless=True)
    assert not lossy(tmp_path / "d.webp")


@pytest.mark.parametrize("options", [{}, {"quality": 80}])
def test_opaque_alpha_is_kept(tmp_path, options):
    pixels = np.dstack([scene(), np.full((48, 64), 255, np.uint8)])
    back, _ = write_and_read(WEBP, tmp_path / "a.webp", image(pixels), **options)
    assert back.pixels.shape == pixels.shape
    assert (back.pixels[..., 3] == 255).all()


def test_colours_of_transparent_pixels_are_kept(tmp_path):
    pixels = noise((9, 13, 4))
    pixels[..., 3] = 0
    back, _ = write_and_read(WEBP, tmp_path / "a.webp", image(pixels))
    assert np.array_equal(back.pixels, pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_webp_of_pillow_is_read(tmp_path, mode, lossless):
    picture = PillowImage.fromarray(noise((9, 14, len(mode))))
    picture.save(tmp_path / "a.webp", lossless=lossless, exif=b"Exif\0\0" + exif(8))
    back = WEBP.read(tmp_path / "a.webp")
    with PillowImage.open(tmp_path / "a.webp") as opened:
        assert np.array_equal(back.pixels, np.asarray(opened))
    assert back.properties == WEBP.properties(tmp_path / "a.webp")
    assert back.metadata.exif == exif(8)


def test_grey_is_refused_with_a_hint(tmp_path):
    with pytest.raises(WriteError, match="WEBP cannot store") as caught:
        WEBP.write(image(noise((4, 4))), tmp_path / "a.webp")
    assert caught.value.hint


def test_premultiplied_colours_are_refused(tmp_path):
    with pytest.raises(WriteError, match="multiplied by alpha"):
        WEBP.write(image(noise((4, 4, 4)), premultiplied=True), tmp_path / "a.webp")
