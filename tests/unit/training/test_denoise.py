"""The denoiser in the box: its package, and that it does what its card says."""

import os

import numpy as np
import pytest

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.model import built_in_models
from imgpool.core.recipe import Recipe
from training.denoise.pictures import HELD_OUT, clean_picture, noisy_picture
from training.denoise.rivals import RIVALS, at_its_best, psnr
from training.denoise.sizes import HALO, LEAST, STEP

RUNTIME = RUNTIMES["onnx"]
MODEL = RUNTIME.describe(built_in_models()["denoise"])


@pytest.fixture(scope="module")
def denoise():
    session = RUNTIME.load(MODEL)
    return lambda noisy: session.predict({"noisy": noisy[None, None]})["denoised"][0, 0]


def noisy(side=256, number=0, noise=0.1):
    return noisy_picture(clean_picture(HELD_OUT + number, side), noise, shot=0.5, seed=number)


def test_says_what_the_tools_that_train_it_say():
    sizes = [(axis.size.minimum, axis.size.step) for axis in MODEL.inputs[0].axes if axis.letter in "YX"]
    halos = [axis.halo for axis in MODEL.outputs[0].axes if axis.letter in "YX"]
    assert sizes == [(LEAST, STEP)] * 2
    assert halos == [HALO] * 2


def test_is_small():
    assert os.path.getsize(os.path.join(MODEL.path, MODEL.weights)) <= 500_000


def test_published_test_arrays_are_met():
    (given,), (expected,) = MODEL.inputs, MODEL.outputs
    found = RUNTIME.load(MODEL).predict({given.name: RUNTIME.test_array(MODEL, given.test_array)})[expected.name]
    np.testing.assert_allclose(found, RUNTIME.test_array(MODEL, expected.test_array), rtol=0, atol=MODEL.tolerance)


@pytest.mark.parametrize(("top", "left"), [(64, 64), (112, 80), (128, 16)])
def test_what_lies_beyond_the_halo_changes_nothing(denoise, top, left):
    picture = noisy(384)
    whole = denoise(picture)
    alone = denoise(picture[top : top + 192, left : left + 240])
    inner = (slice(top + HALO, top + 192 - HALO), slice(left + HALO, left + 240 - HALO))
    np.testing.assert_allclose(alone[HALO:-HALO, HALO:-HALO], whole[inner], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("factor", "offset"), [(1000, 100), (40_000, 20_000), (1e-3, -5)])
def test_unit_and_offset_do_not_matter(denoise, factor, offset):
    picture = noisy()
    other = denoise((picture * factor + offset).astype(np.float32))
    np.testing.assert_allclose((other - offset) / factor, denoise(picture), rtol=0, atol=2e-3)


@pytest.mark.parametrize("value", [0, 1000])
def test_a_constant_image_stays_as_it_is(denoise, value):
    assert np.all(denoise(np.full((LEAST, LEAST), value, np.float32)) == value)


@pytest.mark.parametrize("light", [0.0, 0.02, 0.5])
def test_brightness_is_kept(denoise, light):
    picture = noisy_picture(np.full((512, 512), light, np.float32), noise=0.1, shot=0.5, seed=0)
    assert abs(denoise(picture).mean() - picture.mean()) < 0.005


@pytest.mark.parametrize("method", RIVALS)
@pytest.mark.parametrize("number", [0, 3])
def test_beats_classical_filters_at_their_best_on_pictures_it_never_saw(denoise, number, method):
    if method in {"denoise_nl_means", "denoise_wavelet"}:
        pytest.importorskip("pywt")  # scikit-image's wavelets, and its estimate of the noise, need it
    clean, given = clean_picture(HELD_OUT + number), noisy(number=number)
    assert psnr(denoise(given), clean) > psnr(at_its_best(method, given, clean), clean)


def levels(picture, dtype):
    """Light as grey levels: a fifth to four fifths of what the type holds."""
    return np.round((0.2 + 0.6 * picture) * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_recipe_keeps_the_dtype_and_comes_nearer_to_the_truth(dtype):
    clean, given = levels(clean_picture(HELD_OUT), dtype), levels(np.clip(noisy(), 0, 1), dtype)
    result = Recipe.load("denoise").apply(given)
    assert (result.dtype, result.shape) == (dtype, given.shape)
    assert np.abs(result.astype(float) - clean).mean() < 0.3 * np.abs(given.astype(float) - clean).mean()


def test_the_recipe_takes_each_colour_by_itself():
    colours = [levels(np.clip(noisy(number=number), 0, 1), np.uint8) for number in range(3)]
    recipe = Recipe.load("denoise")
    result = recipe.apply(np.stack(colours, axis=-1))
    for sample, colour in enumerate(colours):
        assert np.array_equal(result[..., sample], recipe.apply(colour))
