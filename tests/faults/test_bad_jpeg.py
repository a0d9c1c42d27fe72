"""JPEGs with missing data, which libjpeg fills with grey and a warning: imgpool must refuse them."""

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


@pytest.mark.parametrize("damage", [zeroed, cut, ended_early])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_missing_data_is_an_error(tmp_path, damage, options):
    path = tmp_path / "a.jpg"
    path.write_bytes(damage(photo(**options)))
    with pytest.raises(ReadError, match=r"damaged|truncated"):
        JPEG.read(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
def test_damage_that_costs_no_pixel_is_ignored(tmp_path, options):
    path, whole = tmp_path / "a.jpg", photo(**options)
    path.write_bytes(whole)
    expected = JPEG.read(path).pixels
    for harmless in (whole[:-2] + bytes(1000) + whole[-2:], whole[:-2] + b"stray" + END, whole + b"appended"):
        path.write_bytes(harmless)
        assert np.array_equal(JPEG.read(path).pixels, expected)


def test_grey_and_colour_are_read_as_by_pillow(tmp_path):
    path = tmp_path / "a.jpg"
    for mode in ("L", "RGB"):
        PillowImage.open(io.BytesIO(photo())).convert(mode).save(path, quality=90)
        assert np.array_equal(JPEG.read(path).pixels, np.asarray(PillowImage.open(path)))
