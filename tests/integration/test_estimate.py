"""``imgpool estimate flat-field``."""

import os

import numpy as np
import pytest

import imgpool as package
from imgpool import Image
from tests.support.fields import cells, light, photograph, rms

HEIGHT, WIDTH = 150, 200
LIGHT = light(HEIGHT, WIDTH)
DARK = 100.0


def photographs(count, *, dark=0.0, seed=0, field=LIGHT):
    rng = np.random.default_rng(seed)
    return [photograph(rng, cells(rng, HEIGHT, WIDTH, 25), field, exposure=2000, dark=dark) for _ in range(count)]


def save(folder, images, axes="YX"):
    folder.mkdir()
    for number, pixels in enumerate(images):
        package.write(Image(pixels, axes), folder / f"{number:03}.tif")
    return folder


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """Thirty images under the same illumination, with a dark frame beside them."""
    folder = tmp_path_factory.mktemp("plate")
    save(folder / "images", photographs(30, dark=DARK))
    package.write(Image(np.full((HEIGHT, WIDTH), DARK, np.uint16), "YX"), folder / "dark.tif")
    return folder


def test_flat_field_makes_the_background_even(imgpool, plate, tmp_path):
    flat = tmp_path / "flat.tif"
    dark = plate / "dark.tif"
    done = imgpool("estimate", "flat-field", plate / "images", "-o", flat, "--dark", dark, "--json")
    assert done.code == 0
    assert (done.json["found"], done.json["used"], done.json["failed"]) == (30, 30, 0)
    field = package.read(flat)
    assert (field.axes, field.pixels.dtype, field.pixels.shape) == ("YX", np.float32, (HEIGHT, WIDTH))
    assert field.pixels.mean() == pytest.approx(1, abs=1e-4)
    images = [package.read(path).pixels - DARK for path in sorted((plate / "images").iterdir())]
    assert rms(field.pixels, LIGHT) < 0.5
    assert rms(np.median(images, axis=0), LIGHT) > 2  # the error of a plain median

    empty = photograph(np.random.default_rng(9), np.ones((HEIGHT, WIDTH)), LIGHT, exposure=2000, dark=DARK)
    save(tmp_path / "empty", [empty])
    step = f"flat_field:flat={flat},dark={dark},normalized=true"
    assert imgpool("process", tmp_path / "empty", "-o", tmp_path / "even", "-f", step).code == 0
    even = package.read(tmp_path / "even" / "000.tif").pixels.astype(float)
    corners = [part.mean() for band in np.array_split(even, 3) for part in np.array_split(band, 3, axis=1)]
    assert max(corners) / min(corners) < 1.01


def test_unreadable_image_is_named_and_skipped(imgpool, tmp_path):
    folder = save(tmp_path / "images", photographs(4))
    (folder / "002.tif").write_bytes(b"no image")
    done = imgpool("estimate", "flat-field", folder, "-o", tmp_path / "flat.tif", "--json")
    assert done.code == 1
    assert (done.json["used"], done.json["failed"]) == (3, 1)
    assert "002.tif" in done.stderr
    (failure,) = done.json["failures"]
    assert failure["hint"]
    assert (tmp_path / "flat.tif").is_file()


def test_image_beyond_max_pixels_is_named_with_the_option(imgpool, tmp_path):
    folder = save(tmp_path / "images", photographs(3))
    arguments = ("estimate", "flat-field", folder, "-o", tmp_path / "flat.tif", "--json")
    refused = imgpool(*arguments, "--max-pixels", HEIGHT * WIDTH - 1)
    assert refused.code == 3
    assert f"larger than --max-pixels {HEIGHT * WIDTH - 1}" in " ".join(refused.stderr.split())
    assert imgpool(*arguments, "--max-pixels", HEIGHT * WIDTH).code == 0


def test_image_of_another_size_is_refused_by_name(imgpool, tmp_path):
    folder = save(tmp_path / "images", photographs(3))
    package.write(Image(np.ones((HEIGHT, WIDTH // 2), np.uint16), "YX"), folder / "odd.tif")
    done = imgpool("estimate", "flat-field", folder, "-o", tmp_path / "flat.tif")
    assert done.code == 2
    assert "odd.tif is 100×150 px grey" in done.stderr
    assert not (tmp_path / "flat.tif").exists()


def test_output_is_replaced_only_with_force_and_never_an_input(imgpool, tmp_path):
    folder = save(tmp_path / "images", photographs(3))
    flat = folder / "flat.tif"
    assert imgpool("estimate", "flat-field", folder, "-o", flat).code == 0
    before = flat.read_bytes()
    again = imgpool("estimate", "flat-field", folder, "-o", flat)
    assert again.code == 2
    assert "--force" in again.stderr
    assert flat.read_bytes() == before
    forced = imgpool("estimate", "flat-field", folder, "-o", flat, "--force", "--json", "--limit", 2)
    assert forced.code == 0
    assert (forced.json["found"], forced.json["used"]) == (3, 2)
    assert sorted(os.listdir(folder)) == ["000.tif", "001.tif", "002.tif", "flat.tif"]


def test_every_channel_and_sample_has_its_own_flat_field(imgpool, tmp_path):
    other = np.ascontiguousarray(LIGHT[::-1])
    grey, mirrored = photographs(12), photographs(12, field=other, seed=1)
    channels = save(tmp_path / "channels", [np.stack(pair) for pair in zip(grey, mirrored, strict=True)], "CYX")
    colour = save(tmp_path / "colour", [np.stack([a, b, a], -1) for a, b in zip(grey, mirrored, strict=True)], "YXS")
    for folder, axes in ((channels, "CYX"), (colour, "YXS")):
        flat = tmp_path / f"{folder.name}.tif"
        assert imgpool("estimate", "flat-field", folder, "-o", flat).code == 0
        field = package.read(flat)
        assert field.axes == axes
        first, second = np.moveaxis(field.pixels, axes.index("C" if "C" in axes else "S"), 0)[:2]
        assert rms(first, LIGHT) < 1
        assert rms(second, other) < 1
        assert imgpool("process", folder, "-o", tmp_path / "out" / axes, "-f", f"flat_field:flat={flat}").code == 0
