"""An estimate is checked whole before it starts, and its light is the true one."""

import os

import numpy as np
import pytest

import imgpool
from imgpool import Image
from imgpool.calibration.flat_field import Estimation, FlatFieldSettings
from imgpool.calibration.illumination import LONGEST, enlarge, estimate_light, reduced_channels, smooth
from imgpool.core.errors import RunError, UsageError
from tests.support.fields import cells, light, photograph, rms

HEIGHT, WIDTH = 96, 128
LIGHT = light(HEIGHT, WIDTH).astype(np.float32)


def stack(count, cover, seed=0, *, absorbing=False):
    """Small images of scenes that cells cover so many times over."""
    rng = np.random.default_rng(seed)
    scenes = [cells(rng, HEIGHT, WIDTH, cover * 180) for _ in range(count)]
    if absorbing:
        scenes = [np.exp(-0.2 * (scene - 1)) for scene in scenes]
    return np.stack([photograph(rng, scene, LIGHT, exposure=20000) for scene in scenes]).astype(np.float32)


@pytest.mark.parametrize("absorbing", [False, True], ids=["bright cells", "dark cells"])
@pytest.mark.parametrize(("count", "cover"), [(10, 0.05), (10, 0.3), (40, 0.5)])
def test_the_light_is_found_where_a_plain_median_still_shows_the_cells(count, cover, absorbing):
    images = stack(count, cover, absorbing=absorbing)
    found = rms(estimate_light(images), LIGHT)
    assert found < 0.3
    assert found < rms(np.median(images, axis=0), LIGHT) / 5


def test_light_alone_is_found_in_a_single_image_without_noise():
    assert rms(estimate_light(700 * LIGHT[np.newaxis]), LIGHT) < 0.05


def test_an_even_image_has_even_light():
    np.testing.assert_allclose(estimate_light(np.full((3, 20, 30), 7, np.float32)), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (128, 4)])
def test_light_of_any_size_is_positive_with_a_mean_of_1(shape):
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    for field in (smooth(values), enlarge(smooth(values), (shape[0] * 5, shape[1] * 7))):
        assert field.min() > 0
        assert field.mean() == pytest.approx(1, abs=1e-4)


def test_enlarged_light_is_the_light_of_the_large_image_up_to_its_border():
    large = light(900, 1200)
    image = Image((1000 * large).astype(np.float32), "YX")
    (small,) = reduced_channels(image)
    assert small.shape == (LONGEST * 3 // 4, LONGEST)
    assert np.abs(enlarge(smooth(small), large.shape) / large - 1).max() < 0.002


def test_channels_are_reduced_apart_and_other_planes_averaged():
    pixels = np.arange(2 * 3 * 2, dtype=np.uint16).reshape(2, 3, 2, 1, 1) * np.ones((5, 6), np.uint16)
    reduced = reduced_channels(Image(pixels, "TCZYX"))
    assert reduced.shape == (3, 5, 6)
    np.testing.assert_allclose(reduced[:, 0, 0], pixels.mean(axis=(0, 2, 3, 4)))
    colour = np.ones((5, 6, 4), np.uint8) * np.uint8([10, 20, 30, 99])
    np.testing.assert_allclose(reduced_channels(Image(colour, "YXS"))[:, 2, 2], [10, 20, 30])


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "empty", "mixed"):
        os.mkdir(folder)
    for number, pixels in enumerate(stack(3, 0.05).astype(np.uint16)):
        imgpool.write(Image(pixels, "YX"), f"images/{number}.tif")
        imgpool.write(Image(pixels[: 40 if number == 1 else None], "YX"), f"mixed/{number}.tif")
    imgpool.write(Image(np.ones((5, 5), np.uint16), "YX"), "small.tif")
    imgpool.write(Image(np.full((HEIGHT, WIDTH), 65535, np.uint16), "YX"), "bright.tif")
    imgpool.write(Image(np.full((HEIGHT, WIDTH), np.nan, np.float32), "YX"), "nan.tif")
    return tmp_path


def estimation(inputs="images", output="flat.tif", **settings):
    return Estimation(FlatFieldSettings((inputs,), output, engine="serial", **settings))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"inputs": "nowhere"}, "does not exist"),
        ({"inputs": "empty"}, "no image found"),
        ({"inputs": "mixed"}, r"1\.tif is 128×40 px grey, 2 other images are 128×96 px grey"),
        ({"output": "flat.jpg"}, "JPEG holds"),
        ({"output": "flat"}, "no format has this extension"),
        ({"output": "absent/flat.tif"}, "absent does not exist"),
        ({"output": "small.tif"}, "exists"),
        ({"dark": "absent.tif"}, "absent.tif"),
        ({"dark": "small.tif"}, "small.tif is 5×5 px grey, the images are 128×96 px grey"),
        ({"dark": "nan.tif"}, "NaN"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(place, settings, complaint):
    before = sorted(place.rglob("*"))
    with pytest.raises(UsageError, match=complaint) as caught:
        estimation(**settings)
    assert caught.value.hint
    assert sorted(place.rglob("*")) == before


def test_nothing_is_written_where_no_image_is_brighter_than_the_dark_level(place):
    with pytest.raises(RunError, match="brighter than the dark level"):
        estimation(dark="bright.tif").run(lambda _: None)
    assert not (place / "flat.tif").exists()


def test_nothing_is_written_where_no_image_can_be_used(place):
    imgpool.write(Image(np.full((4, 5), np.nan, np.float32), "YX"), "empty/nan.tif")
    told = []
    with pytest.raises(RunError, match="no image could be used"):
        estimation("empty").run(told.append)
    assert "NaN" in told[0].failure.message
    assert not (place / "flat.tif").exists()


def test_a_sample_goes_evenly_through_all_and_leaves_nothing_behind(place):
    done = estimation(limit=2)
    done.run(lambda _: None)
    assert (done.found, done.used) == (3, 2)
    assert [os.path.basename(task.source) for task in done.tasks] == ["0.tif", "2.tif"]
    assert sorted(path.name for path in place.iterdir() if path.name.startswith((".", "flat"))) == ["flat.tif"]


def test_the_same_bytes_come_out_whatever_the_workers(place):
    written = set()
    for settings in ({"engine": "serial"}, {"workers": 1}, {"workers": 2}):
        Estimation(FlatFieldSettings(("images",), "flat.tif", force=True, **settings)).run(lambda _: None)
        written.add((place / "flat.tif").read_bytes())
    assert len(written) == 1
