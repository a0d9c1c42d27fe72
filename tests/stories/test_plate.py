"""A microscopist corrects a plate of unevenly lit 16-bit images, and verifies the results."""

import numpy as np
import pytest

from imgpool import Image, PixelSize, read, write
from tests.support.fields import cells, light, photograph

HEIGHT, WIDTH = 120, 160
WELLS = [f"{row}{column:02}" for row in "AB" for column in range(1, 11)]


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Twenty wells under one uneven light, with a pixel size."""
    folder = tmp_path_factory.mktemp("plate") / "images"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for well in WELLS:
        pixels = photograph(rng, cells(rng, HEIGHT, WIDTH, 20), light(HEIGHT, WIDTH), exposure=2000)
        write(Image(pixels, "YX", PixelSize(0.325, 0.325)), folder / f"{well}.tif")
    return folder


def corner_to_centre(pixels):
    """The background in the corners, as a share of that in the middle."""
    corners = [
        pixels[rows, columns] for rows in (slice(20), slice(-20, None)) for columns in (slice(20), slice(-20, None))
    ]
    return np.median(corners) / np.median(pixels[HEIGHT // 2 - 10 : HEIGHT // 2 + 10])


def test_plate_is_corrected_and_verified(imgpool, plate, tmp_path):
    flat, out = tmp_path / "flat.tif", tmp_path / "out"
    estimated = imgpool("estimate", "flat-field", plate, "-o", flat, "--json")
    assert (estimated.code, estimated.json["used"]) == (0, len(WELLS))

    steps = ["-f", f"flat_field:flat={flat},normalized=true", "-f", "gaussian:sigma=0.65um"]
    preview = imgpool("process", plate, "-o", out, *steps, "--dry-run")
    assert preview.code == 0
    assert not out.exists()

    done = imgpool("process", plate, "-o", out, *steps, "--json")
    assert (done.code, done.json["done"], done.json["failed"]) == (0, len(WELLS), 0)
    images = [read(out / f"{well}.tif") for well in WELLS]
    assert {image.pixels.dtype.name for image in images} == {"uint16"}
    assert {round(image.pixel_size.x, 4) for image in images} == {0.325}
    before = np.median([read(path).pixels for path in sorted(plate.iterdir())], axis=0)
    after = np.median([image.pixels for image in images], axis=0)
    assert abs(1 - corner_to_centre(after)) < abs(1 - corner_to_centre(before)) / 3

    verified = imgpool("verify", out, "--json")
    assert (verified.code, verified.json["checked"], verified.json["intact"]) == (0, len(WELLS), len(WELLS))
