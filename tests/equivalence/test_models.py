"""Models give what their authors published, and tiles what the whole gives."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from imgpool import Image
from imgpool.core.catalogue import FILTERS, RUNTIMES
from imgpool.models import tiling as _model_tiles
from imgpool.models.plan import describe, make_plan
from imgpool.models.processing import convert, process
from tests.support.onnx_files import expected, write_package

UNET = Path(__file__).parents[2] / ".." / "shared" / "models" / "unet2d_nuclei_broad"
PUBLISHED = 1e-4
HALO = 0.005
"""By how much probabilities differ that have the U-Net's declared halo of 32 pixels around them, or more."""

MODEL = FILTERS["model"]
needs_unet = pytest.mark.skipif(not UNET.is_dir(), reason="the published U-Net is not beside the clone")


@pytest.fixture(params=["0.5", "0.4"])
def unet(request, tmp_path):
    """The package in both versions of its description."""
    if request.param == "0.5":
        return UNET
    for name in ("weights.onnx", "test_input.npy", "test_output.npy"):
        shutil.copyfile(UNET / name, tmp_path / name)
    shutil.copyfile(UNET / "v0_4_9.bioimageio.yaml", tmp_path / "rdf.yaml")
    return tmp_path


@pytest.fixture(scope="module")
def nuclei():
    """The published test image, and two of it, one turned, that two tiles just hold; of 16 bits."""
    image = np.load(UNET / "test_input.npy")[0, 0].astype(np.uint16)
    return image, np.concatenate([image, np.rot90(image)])[:960]


@needs_unet
def test_the_published_output_comes_out(unet, nuclei):
    published = np.load(UNET / "test_output.npy")[0, 0]
    result = MODEL(Image(nuclei[0], "YX"), path=str(unet))
    assert (result.pixels.dtype, result.axes) == (np.float32, "YX")
    assert np.abs(result.pixels - published).max() <= PUBLISHED


@needs_unet
def test_the_published_tensors_agree_without_an_image(unet):
    model = describe(str(unet))
    runtime = RUNTIMES[model.runtime]
    (given,), (made,) = model.inputs, model.outputs
    raw = runtime.test_array(model, given.test)
    values = convert(process(given.operations, raw.copy(), given.letters), np.dtype(given.dtype))
    output = runtime.load(model).predict({given.name: values})[made.name]
    result = process(made.operations, output, made.letters, {given.name: (raw, given.letters)})
    assert np.abs(result - runtime.test_array(model, made.test)).max() <= PUBLISHED


@needs_unet
def test_a_large_image_in_tiles_is_the_same_in_any_order_and_for_any_overlap(nuclei, monkeypatch):
    image = Image(nuclei[1], "YX")
    first = MODEL(image, path=str(UNET)).pixels
    other = MODEL(image, path=str(UNET), overlap=64).pixels
    assert 0 < np.abs(other - first).max() <= HALO
    in_order = _model_tiles.predict_tiles
    monkeypatch.setattr(
        "imgpool.filters.model.predict_tiles",
        lambda sample, letters, tiles, predict, made: in_order(sample, letters, tiles[::-1], predict, made),
    )
    assert np.array_equal(MODEL(image, path=str(UNET)).pixels, first)


@needs_unet
def test_the_middle_of_a_large_image_is_what_it_is_by_itself(nuclei):
    """What is far away changes nothing, given the same statistics."""
    whole = nuclei[1].astype(np.float32)
    window = np.s_[224:736]
    given = make_plan({"path": MODEL.validate({"path": str(UNET)})["path"], "output": None, "tile": None,
                       "overlap": None}).given  # fmt: skip
    values = process(given.operations, whole.copy()[np.newaxis], "CYX")[0]
    model = RUNTIMES["onnx"].load(describe(str(UNET)))
    alone = model.predict({given.name: np.ascontiguousarray(values[window])[None, None]})["probability"][0, 0]
    alone = 1 / (1 + np.exp(-alone))
    tiled = MODEL(Image(nuclei[1], "YX"), path=str(UNET)).pixels[window]
    assert np.abs(tiled - alone)[64:-64].max() <= HALO


@pytest.mark.slow
@needs_unet
def test_2048_pixels_are_the_same_for_any_overlap(nuclei):
    turned = [[np.rot90(nuclei[0], row + column) for column in range(4)] for row in range(4)]
    image = Image(np.block(turned), "YX")
    one, other = (MODEL(image, path=str(UNET), overlap=overlap).pixels for overlap in (32, 96))
    assert np.abs(one - other).max() <= HALO


SIZES = [(1, 1), (3, 200), (47, 48), (48, 48), (49, 97), (200, 131)]


@pytest.mark.parametrize("kind", ["box3", "box7"])
@pytest.mark.parametrize("shape", SIZES)
def test_tiles_give_what_the_whole_gives(tmp_path, kind, shape):
    """For a model that takes any size and declares the surroundings it needs, to the edge of the image."""
    given = np.random.default_rng(0).random(shape, np.float32)
    path = str(write_package(tmp_path / "m", kind, halo={"box3": 1, "box7": 3}[kind]))
    whole = expected(kind, given, "YX")
    for tile in (None, 16, 48, 75):
        assert (
            np.abs(MODEL(Image(given, "YX"), path=path, tile=tile).pixels - padded(whole, given, kind, tile)).max()
            <= 1e-6
        )


def padded(whole, given, kind, tile):
    """What the whole gives; of an image smaller than the tile, the whole of what it is mirrored to."""
    missing = [max(0, (tile or 0) - length) for length in given.shape]
    if not any(missing):
        return whole
    mirrored = np.pad(given, [(0, number) for number in missing], mode="symmetric")
    return expected(kind, mirrored, "YX")[tuple(slice(length) for length in given.shape)]


@pytest.mark.parametrize("kind", ["up2", "down2"])
def test_tiles_of_a_model_that_changes_sizes_give_what_the_whole_gives(tmp_path, kind):
    given = np.random.default_rng(0).random((130, 88), np.float32)
    path = str(write_package(tmp_path / "m", kind, least=8, step=2, halo=4))
    whole = expected(kind, given, "YX")
    for tile in (None, 24, 32, 50):
        assert np.abs(MODEL(Image(given, "YX"), path=path, tile=tile).pixels - whole).max() <= 1e-6


def test_tiles_of_a_volume_give_what_the_whole_gives(tmp_path):
    given = np.random.default_rng(0).random((70, 40, 45), np.float32)
    path = str(write_package(tmp_path / "m", "box3", axes="BCZYX", halo=1))
    whole = expected("box3", given, "ZYX")
    for tile in (None, 16):
        assert np.abs(MODEL(Image(given, "ZYX"), path=path, tile=tile).pixels - whole).max() <= 1e-6
