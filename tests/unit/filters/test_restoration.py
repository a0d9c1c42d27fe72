"""richardson_lucy: sharpening, invariants and refusals."""

import contextlib

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.image import Image, PixelSize

richardson_lucy = FILTERS["richardson_lucy"]


def bars(height=48, width=60):
    """Bars of 10 pixels, sharp and blurred."""
    sharp = np.where(np.arange(width) // 10 % 2, 1000.0, 100.0) * np.ones((height, 1))
    return sharp, gaussian_filter(sharp, 2, mode="reflect")


def test_deconvolution_sharpens_a_blurred_image():
    sharp, blurred = bars()
    result = richardson_lucy(Image(blurred, "YX"), sigma=2, iterations=200).pixels
    assert np.abs(result - sharp).mean() < 0.75 * np.abs(blurred - sharp).mean()
    assert np.diff(result).max() > 2 * np.diff(blurred).max()
    assert np.abs(gaussian_filter(result, 2, mode="reflect") / blurred - 1).max() < 0.02


def test_sum_is_kept_and_constant_image_stays_constant():
    _, blurred = bars()
    assert richardson_lucy(Image(blurred, "YX"), sigma=2).pixels.sum() == pytest.approx(blurred.sum(), rel=1e-6)
    for dtype in ("uint8", "uint16", "float32"):
        even = np.full((9, 11), 7, dtype)
        np.testing.assert_allclose(richardson_lucy(Image(even, "YX"), sigma=2).pixels, even, rtol=1e-5)


def test_black_stays_black():
    for dtype in ("uint8", "float32"):
        assert not richardson_lucy(Image(np.zeros((9, 11), dtype), "YX"), sigma=2).pixels.any()


def test_sigma_with_a_unit_uses_the_pixel_size():
    image = Image(bars()[1], "YX", PixelSize(0.1, 0.2))
    by_length = richardson_lucy(image, sigma="0.2um").pixels
    narrow = richardson_lucy(Image(image.pixels, "YX", PixelSize(0.1, 0.1)), sigma="0.2um").pixels
    assert np.array_equal(narrow, richardson_lucy(image, sigma=2).pixels)
    assert not np.array_equal(by_length, narrow)
    with pytest.raises(FilterError, match="needs the pixel size"):
        richardson_lucy(Image(image.pixels, "YX"), sigma="0.2um")


def test_nan_does_not_affect_its_neighbours():
    """Far pixels stay the same, and near pixels keep their brightness."""
    _, blurred = bars(width=120)
    holed = blurred.copy()
    holed[20:23, 30] = np.nan
    whole, result = (richardson_lucy(Image(each, "YX"), sigma=1, iterations=5).pixels for each in (blurred, holed))
    assert np.array_equal(np.isnan(result), np.isnan(holed))
    reach = 2 * 4 * 5  # forward and adjoint, four standard deviations each, five iterations
    np.testing.assert_allclose(result[:, 31 + reach :], whole[:, 31 + reach :], rtol=1e-6)
    there = ~np.isnan(holed)
    assert np.abs(result[there] / whole[there] - 1).max() < 0.2


def test_nan_in_a_volume_does_not_affect_its_neighbours(tmp_path):
    np.save(tmp_path / "psf.npy", np.ones((3, 3, 5)))
    volume = np.random.default_rng(0).random((5, 9, 8)).astype(np.float32) + 1
    volume[2, 4, 4] = np.nan
    result = richardson_lucy(Image(volume, "ZYX"), psf=str(tmp_path / "psf.npy"), iterations=3).pixels
    assert np.array_equal(np.isnan(result), np.isnan(volume))
    assert np.nanmax(result) < 5


def test_samples_are_deconvolved_separately():
    _, blurred = bars()
    colour = np.stack([blurred, blurred[::-1, ::-1], blurred.T[: len(blurred), :1] * np.ones(60)], -1).astype(np.uint16)
    result = richardson_lucy(Image(colour, "YXS"), sigma=1.5).pixels
    for s in range(3):
        alone = richardson_lucy(Image(np.ascontiguousarray(colour[..., s]), "YX"), sigma=1.5).pixels
        assert np.array_equal(result[..., s], alone)


@pytest.mark.parametrize("value", [-1.0, np.inf])
def test_negative_and_infinite_values_are_refused(value):
    pixels = np.ones((5, 6), np.float32)
    pixels[2, 3] = value
    with pytest.raises(FilterError, match="finite values of 0 or more") as caught:
        richardson_lucy(Image(pixels, "YX"), sigma=1)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("psf", "complaint"),
    [
        (np.ones((4, 5)), "sides 4×5, which must all be odd"),
        (np.ones((3, 3, 3, 5)), "axes TZYX"),
        (np.ones((5, 5, 3)), "axes YXS"),
    ],
)
def test_unusable_psf_is_refused_with_the_recipe(tmp_path, psf, complaint):
    np.save(tmp_path / "psf.npy", psf)
    with pytest.raises(RecipeError, match=complaint) as caught:
        richardson_lucy.validate({"psf": str(tmp_path / "psf.npy")})
    assert caught.value.hint


@pytest.mark.parametrize(("shape", "accepted"), [((65, 511, 511), True), ((8193, 8193), False)])
def test_size_of_a_psf_is_limited(tmp_path, shape, accepted):
    path = tmp_path / "psf.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # a sparse file
    with contextlib.nullcontext() if accepted else pytest.raises(RecipeError, match="67,125,249 pixels, more than"):
        richardson_lucy.validate({"psf": str(path)})


@pytest.mark.parametrize("psf", [np.zeros((3, 3)), -np.ones((3, 3)), np.full((3, 3), np.nan)])
def test_psf_with_invalid_values_does_not_load(tmp_path, psf):
    np.save(tmp_path / "psf.npy", psf)
    with pytest.raises(WorkerError, match="finite values of 0 or more that are not all 0"):
        richardson_lucy.load({"psf": str(tmp_path / "psf.npy")})


@pytest.mark.parametrize("axes", ["YX", "TYX"])
def test_psf_with_slices_needs_an_image_with_depth(tmp_path, axes):
    np.save(tmp_path / "psf.npy", np.ones((3, 3, 5)))
    image = Image(np.ones((5, 6, 7)[-len(axes) :], np.uint8), axes)
    with pytest.raises(FilterError, match="is a volume"):
        richardson_lucy(image, psf=str(tmp_path / "psf.npy"))


@pytest.mark.parametrize("parameters", [{}, {"psf": __file__, "sigma": 1}])
def test_exactly_one_of_psf_and_sigma_is_needed(parameters):
    with pytest.raises(RecipeError, match="either psf, a file, or sigma"):
        richardson_lucy.validate(parameters)


def test_pickled_psf_is_never_read(tmp_path):
    np.save(tmp_path / "psf.npy", np.array([[print]], object), allow_pickle=True)
    with pytest.raises(RecipeError, match=r"psf\.npy cannot be read"):
        richardson_lucy.validate({"psf": str(tmp_path / "psf.npy")})


def test_bad_psf_is_refused_before_a_run_starts(tmp_path):
    np.save(tmp_path / "psf.npy", np.ones((4, 4)))
    with pytest.raises(RecipeError):
        imgpool.process(tmp_path, filters=[f"richardson_lucy:psf={tmp_path / 'psf.npy'}"])
