"""Models return their published outputs, and tiles give the result of the whole image."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from imgpool import Image
from imgpool.core.catalogue import FILTERS, RUNTIMES
from imgpool.models.plan import describe_model, plan_model
from imgpool.models.processing import apply_operations, convert
from imgpool.models.tiling import predict_tiles
from tests.support.onnx_files import expected, write_package

UNET = Path(__file__).parents[2] / ".." / "shared" / "models" / "unet2d_nuclei_broad"
MAX_PUBLISHED_DIFFERENCE = 1e-4
MAX_OVERLAP_DIFFERENCE = 0.005
"""Of the U-Net's probabilities, between overlaps of at least its declared halo of 32 pixels."""

MODEL = FILTERS["model"]
needs_unet = pytest.mark.skipif(not UNET.is_dir(), reason="the published U-Net is not available")


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
    """The published 16-bit test image, and a larger image made of it, which exactly fills two tiles."""
    image = np.load(UNET / "test_input.npy")[0, 0].astype(np.uint16)
    return image, np.concatenate([image, np.rot90(image)])[:960]


@needs_unet
def test_filter_returns_the_published_output(unet, nuclei):
    published = np.load(UNET / "test_output.npy")[0, 0]
    result = MODEL(Image(nuclei[0], "YX"), path=str(unet))
    assert (result.pixels.dtype, result.axes) == (np.float32, "YX")
    assert np.abs(result.pixels - published).max() <= MAX_PUBLISHED_DIFFERENCE


@needs_unet
def test_runtime_and_processing_return_the_published_output(unet):
    model = describe_model(str(unet))
    runtime = RUNTIMES[model.runtime]
    (input_,), (output,) = model.inputs, model.outputs
    raw = runtime.test_array(model, input_.test_array)
    values = convert(apply_operations(input_.operations, raw.copy(), input_.letters), np.dtype(input_.dtype))
    predicted = runtime.load(model).predict({input_.name: values})[output.name]
    result = apply_operations(output.operations, predicted, output.letters, {input_.name: (raw, input_.letters)})
    assert np.abs(result - runtime.test_array(model, output.test_array)).max() <= MAX_PUBLISHED_DIFFERENCE


@needs_unet
def test_order_of_tiles_and_overlap_do_not_matter(nuclei, monkeypatch):
    image = Image(nuclei[1], "YX")
    first = MODEL(image, path=str(UNET)).pixels
    other = MODEL(image, path=str(UNET), overlap=64).pixels
    assert 0 < np.abs(other - first).max() <= MAX_OVERLAP_DIFFERENCE
    monkeypatch.setattr(
        "imgpool.filters.model.predict_tiles",
        lambda sample, letters, tiles, *others: predict_tiles(sample, letters, tiles[::-1], *others),
    )
    assert np.array_equal(MODEL(image, path=str(UNET)).pixels, first)


@needs_unet
def test_part_of_a_large_image_equals_the_part_alone(nuclei):
    """Distant pixels do not affect the result if the statistics are the same."""
    whole = nuclei[1].astype(np.float32)
    window = np.s_[224:736]
    model = describe_model(str(UNET))
    input_ = plan_model(model).input
    values = apply_operations(input_.operations, whole.copy()[np.newaxis], "CYX")[0]
    session = RUNTIMES["onnx"].load(model)
    alone = session.predict({input_.name: np.ascontiguousarray(values[window])[None, None]})["probability"][0, 0]
    alone = 1 / (1 + np.exp(-alone))
    tiled = MODEL(Image(nuclei[1], "YX"), path=str(UNET)).pixels[window]
    assert np.abs(tiled - alone)[64:-64].max() <= MAX_OVERLAP_DIFFERENCE


@pytest.mark.slow
@needs_unet
def test_overlap_does_not_matter_for_2048_pixels(nuclei):
    turned = [[np.rot90(nuclei[0], row + column) for column in range(4)] for row in range(4)]
    image = Image(np.block(turned), "YX")
    one, other = (MODEL(image, path=str(UNET), overlap=overlap).pixels for overlap in (32, 96))
    assert np.abs(one - other).max() <= MAX_OVERLAP_DIFFERENCE


SIZES = [(1, 1), (3, 200), (47, 48), (48, 48), (49, 97), (200, 131)]


@pytest.mark.parametrize("kind", ["box3", "box7"])
@pytest.mark.parametrize("shape", SIZES)
def test_tiles_give_the_result_of_the_whole_image(tmp_path, kind, shape):
    """For models that take any size and declare the halo they need."""
    values = np.random.default_rng(0).random(shape, np.float32)
    path = str(write_package(tmp_path / "m", kind, halo={"box3": 1, "box7": 3}[kind]))
    whole = expected(kind, values, "YX")
    for tile in (None, 16, 48, 75):
        assert (
            np.abs(MODEL(Image(values, "YX"), path=path, tile=tile).pixels - padded(whole, values, kind, tile)).max()
            <= 1e-6
        )


def padded(whole, values, kind, tile):
    """Expected result; an image smaller than the tile is extended by mirroring."""
    missing = [max(0, (tile or 0) - length) for length in values.shape]
    if not any(missing):
        return whole
    mirrored = np.pad(values, [(0, number) for number in missing], mode="symmetric")
    return expected(kind, mirrored, "YX")[tuple(slice(length) for length in values.shape)]


@pytest.mark.parametrize("kind", ["up2", "down2"])
def test_tiles_of_a_resizing_model_give_the_whole_result(tmp_path, kind):
    values = np.random.default_rng(0).random((130, 88), np.float32)
    path = str(write_package(tmp_path / "m", kind, minimum=8, step=2, halo=4))
    whole = expected(kind, values, "YX")
    for tile in (None, 24, 32, 50):
        assert np.abs(MODEL(Image(values, "YX"), path=path, tile=tile).pixels - whole).max() <= 1e-6


def test_tiles_of_a_volume_give_the_whole_result(tmp_path):
    values = np.random.default_rng(0).random((70, 40, 45), np.float32)
    path = str(write_package(tmp_path / "m", "box3", axes="BCZYX", halo=1))
    whole = expected("box3", values, "ZYX")
    for tile in (None, 16):
        assert np.abs(MODEL(Image(values, "ZYX"), path=path, tile=tile).pixels - whole).max() <= 1e-6
