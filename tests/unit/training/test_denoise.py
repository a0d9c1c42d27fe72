"""The built-in denoiser: its package matches the training scripts, and it does what its card says."""

import os

import numpy as np
import pytest

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.model import built_in_models
from imgpool.core.recipe import Recipe
from training.denoise.baselines import BASELINES, best_result, psnr
from training.denoise.constants import HALO_PX, MIN_SIDE_PX, PACKAGE_FOLDER, SIDE_STEP_PX
from training.denoise.synthetic import VALIDATION_SEED, add_noise, draw_image

RUNTIME = RUNTIMES["onnx"]
MODEL = RUNTIME.describe(built_in_models()["denoise"])


@pytest.fixture(scope="module")
def denoise():
    session = RUNTIME.load(MODEL)
    return lambda noisy: session.predict({"noisy": noisy[None, None]})["denoised"][0, 0]


def noisy_image(side=256, number=0, noise=0.1):
    return add_noise(draw_image(VALIDATION_SEED + number, side), noise, shot=0.5, seed=number)


def test_package_has_the_sizes_of_the_training_scripts():
    sizes = [(axis.size.minimum, axis.size.step) for axis in MODEL.inputs[0].axes if axis.letter in "YX"]
    halos = [axis.halo for axis in MODEL.outputs[0].axes if axis.letter in "YX"]
    assert sizes == [(MIN_SIDE_PX, SIDE_STEP_PX)] * 2
    assert halos == [HALO_PX] * 2


def test_scripts_write_into_the_package_folder():
    assert os.path.samefile(PACKAGE_FOLDER, MODEL.path)


def test_weights_are_small():
    assert os.path.getsize(os.path.join(MODEL.path, MODEL.weights)) <= 500_000


def test_published_output_is_reproduced():
    (input_,), (output,) = MODEL.inputs, MODEL.outputs
    predicted = RUNTIME.load(MODEL).predict({input_.name: RUNTIME.test_array(MODEL, input_.test_array)})[output.name]
    np.testing.assert_allclose(predicted, RUNTIME.test_array(MODEL, output.test_array), rtol=0, atol=MODEL.tolerance)


@pytest.mark.parametrize(("top", "left"), [(64, 64), (112, 80), (128, 16)])
def test_pixels_beyond_the_halo_have_no_effect(denoise, top, left):
    image = noisy_image(384)
    whole = denoise(image)
    alone = denoise(image[top : top + 192, left : left + 240])
    inner = (slice(top + HALO_PX, top + 192 - HALO_PX), slice(left + HALO_PX, left + 240 - HALO_PX))
    np.testing.assert_allclose(alone[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX], whole[inner], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("factor", "offset"), [(1000, 100), (40_000, 20_000), (1e-3, -5)])
def test_unit_and_offset_do_not_matter(denoise, factor, offset):
    image = noisy_image()
    other = denoise((image * factor + offset).astype(np.float32))
    np.testing.assert_allclose((other - offset) / factor, denoise(image), rtol=0, atol=2e-3)


@pytest.mark.parametrize("value", [0, 1000])
def test_constant_image_is_unchanged(denoise, value):
    assert np.all(denoise(np.full((MIN_SIDE_PX, MIN_SIDE_PX), value, np.float32)) == value)


@pytest.mark.parametrize("light", [0.0, 0.02, 0.5])
def test_brightness_is_kept(denoise, light):
    image = add_noise(np.full((512, 512), light, np.float32), noise=0.1, shot=0.5, seed=0)
    assert abs(denoise(image).mean() - image.mean()) < 0.005


@pytest.mark.parametrize("method", BASELINES)
@pytest.mark.parametrize("number", [0, 3])
def test_denoiser_beats_the_best_classical_results(denoise, number, method):
    if method in {"denoise_nl_means", "denoise_wavelet"}:
        pytest.importorskip("pywt")  # scikit-image's wavelets, and its estimate of the noise, need it
    clean, noisy = draw_image(VALIDATION_SEED + number), noisy_image(number=number)
    assert psnr(denoise(noisy), clean) > psnr(best_result(method, noisy, clean), clean)


def grey_levels(image, dtype):
    """Convert 0 to 1 to a fifth to four fifths of the range of the dtype."""
    return np.round((0.2 + 0.6 * image) * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_recipe_keeps_the_dtype_and_removes_noise(dtype):
    clean = grey_levels(draw_image(VALIDATION_SEED), dtype)
    noisy = grey_levels(np.clip(noisy_image(), 0, 1), dtype)
    result = Recipe.load("denoise").apply(noisy)
    assert (result.dtype, result.shape) == (dtype, noisy.shape)
    assert np.abs(result.astype(float) - clean).mean() < 0.3 * np.abs(noisy.astype(float) - clean).mean()


def test_recipe_denoises_each_colour_separately():
    colours = [grey_levels(np.clip(noisy_image(number=number), 0, 1), np.uint8) for number in range(3)]
    recipe = Recipe.load("denoise")
    result = recipe.apply(np.stack(colours, axis=-1))
    for sample, colour in enumerate(colours):
        assert np.array_equal(result[..., sample], recipe.apply(colour))
