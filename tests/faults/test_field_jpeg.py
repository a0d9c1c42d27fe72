"""JPEGs with a hole in them: libjpeg fills it with grey and merely warns, so the file must fail by name."""

import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool.core.errors import ReadError
from imgpool.formats.jpeg import JPEG

END = b"\xff\xd9"


def photo(**options):
    y, x = np.mgrid[:200, :300]
    noise = np.random.default_rng(0).integers(0, 40, (200, 300, 3))
    pixels = np.stack([x % 200, y, (x + y) % 180], -1) + noise
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def zeroed(data):
    half = len(data) // 2
    return data[:half] + bytes(3000) + data[half + 3000 :]


def cut(data):
    half = len(data) // 2
    return data[:half] + data[half + 3000 :]


def ended_early(data):
    return data[: len(data) // 2] + END


@pytest.mark.parametrize("harm", [zeroed, cut, ended_early])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_a_hole_in_the_picture_is_an_error(tmp_path, harm, options):
    path = tmp_path / "a.jpg"
    path.write_bytes(harm(photo(**options)))
    with pytest.raises(ReadError, match=r"damaged|truncated"):
        JPEG.read(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_what_costs_no_pixel_is_no_error(tmp_path, options):
    path, whole = tmp_path / "a.jpg", photo(**options)
    path.write_bytes(whole)
    expected = JPEG.read(path).pixels
    for harmless in (whole[:-2] + bytes(1000) + whole[-2:], whole[:-2] + b"stray" + END, whole + b"appended"):
        path.write_bytes(harmless)
        assert np.array_equal(JPEG.read(path).pixels, expected)


def test_grey_and_colour_agree_with_pillow(tmp_path):
    path = tmp_path / "a.jpg"
    for mode in ("L", "RGB"):
        PillowImage.open(io.BytesIO(photo())).convert(mode).save(path, quality=90)
        assert np.array_equal(JPEG.read(path).pixels, np.asarray(PillowImage.open(path)))
