"""Estimation of a flat field: refusals, results and output."""

import os

import numpy as np
import pytest

import imgpool
from imgpool import Image
from imgpool.calibration.flat_field import Estimation, FlatFieldSettings
from imgpool.core.errors import RunError, UsageError
from tests.support.fields import light, stack

HEIGHT, WIDTH = 96, 128
LIGHT = light(HEIGHT, WIDTH).astype(np.float32)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The working directory, with folders of images and unsuitable dark frames."""
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "empty", "mixed"):
        os.mkdir(folder)
    for number, pixels in enumerate(stack(LIGHT, 3, 0.05).astype(np.uint16)):
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
        ({"inputs": "mixed"}, r"1\.tif is 128×40 px grey, but 2 other images are 128×96 px grey"),
        ({"output": "flat.jpg"}, "JPEG cannot store floating-point values"),
        ({"output": "flat"}, "no format has this extension"),
        ({"output": "absent/flat.tif"}, "absent does not exist"),
        ({"output": "small.tif"}, "exists"),
        ({"dark": "absent.tif"}, "absent.tif"),
        ({"dark": "small.tif"}, "small.tif is 5×5 px grey, but the images are 128×96 px grey"),
        ({"dark": "nan.tif"}, "NaN"),
    ],
)
def test_invalid_settings_are_refused_before_anything_starts(workspace, settings, complaint):
    before = sorted(workspace.rglob("*"))
    with pytest.raises(UsageError, match=complaint) as caught:
        estimation(**settings)
    assert caught.value.hint
    assert sorted(workspace.rglob("*")) == before


def test_images_as_dark_as_the_dark_frame_are_refused(workspace):
    with pytest.raises(RunError, match="brighter than the dark level"):
        estimation(dark="bright.tif").run(lambda _: None)
    assert not (workspace / "flat.tif").exists()


def test_nothing_is_written_if_no_image_can_be_used(workspace):
    imgpool.write(Image(np.full((4, 5), np.nan, np.float32), "YX"), "empty/nan.tif")
    results = []
    with pytest.raises(RunError, match="no image could be used"):
        estimation("empty").run(results.append)
    assert "NaN" in results[0].failure.message
    assert not (workspace / "flat.tif").exists()


def test_limit_spreads_the_used_images_evenly(workspace):
    limited = estimation(limit=2)
    flat = limited.run(lambda _: None)
    assert (limited.found, flat.used) == (3, 2)
    assert [os.path.basename(task.source) for task in limited.tasks] == ["0.tif", "2.tif"]
    assert sorted(path.name for path in workspace.iterdir() if path.name.startswith((".", "flat"))) == ["flat.tif"]


def test_output_does_not_depend_on_engine_and_workers(workspace):
    written = set()
    for settings in ({"engine": "serial"}, {"workers": 1}, {"workers": 2}):
        Estimation(FlatFieldSettings(("images",), "flat.tif", force=True, **settings)).run(lambda _: None)
        written.add((workspace / "flat.tif").read_bytes())
    assert len(written) == 1
