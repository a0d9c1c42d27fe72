"""Filters that need a file agree with scikit-image, or with their formula."""

import json

import numpy as np
import pytest
import skimage as ski

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.image import Image

DTYPES = ["uint8", "uint16", "uint32", "int16", "int32", "float16", "float32", "float64"]
SMALL_FLOATS = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-5}


def sample(dtype, shape, seed=0):
    """Smooth random values over most of the dtype's range, 0 to 1 for floats."""
    rng = np.random.default_rng(seed)
    soft = ski.filters.gaussian(rng.random(shape), 1, channel_axis=-1 if shape[-1] == 3 else None)
    soft = (soft - soft.min()) / np.ptp(soft) * 0.9 + 0.05 * rng.random(shape)
    scale = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1
    return (soft * scale).astype(dtype)


def assert_agrees(result, expected, dtype):
    """Within one grey level, or 1e-5 of the range."""
    assert result.dtype == dtype
    if np.dtype(dtype).kind in "ui":
        limits = np.iinfo(dtype)
        expected, tolerance = np.clip(np.rint(expected), limits.min, limits.max), 1
        tolerance = max(tolerance, 1e-9 * limits.max)  # scikit-image's epsilon is visible in 32 bits
    else:
        tolerance = SMALL_FLOATS[dtype] * np.ptp(expected)
    assert np.abs(result.astype(float) - expected).max() <= tolerance


def saved(tmp_path, pixels, name="file.npy"):
    np.save(tmp_path / name, pixels)
    return str(tmp_path / name)


def deconvolved(pixels, psf, iterations, beyond=80):
    """Deconvolve with scikit-image after mirroring the image far enough to exclude the black border."""
    values = np.pad(pixels.astype(float), beyond, mode="symmetric")
    scale = values.max()
    sharp = ski.restoration.richardson_lucy(values / scale, psf, iterations, clip=False) * scale
    return sharp[tuple(slice(beyond, -beyond) for _ in range(values.ndim))]


def gaussian_psf(*sides, sigma=1.2):
    grids = np.meshgrid(*(np.arange(side) - side // 2 for side in sides), indexing="ij")
    psf = np.exp(-sum(grid**2 for grid in grids) / (2 * sigma**2))
    return psf / psf.sum()


@pytest.mark.parametrize("side", [7, 13], ids=["summed", "by Fourier transform"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_richardson_lucy_agrees(tmp_path, dtype, side):
    pixels, psf = sample(dtype, (33, 40)), gaussian_psf(side, side)
    result = FILTERS["richardson_lucy"](Image(pixels, "YX"), psf=saved(tmp_path, 7 * psf), iterations=6).pixels
    assert_agrees(result, deconvolved(pixels, psf, 6), dtype)


@pytest.mark.parametrize("side", [7, 13], ids=["summed", "by Fourier transform"])
def test_richardson_lucy_agrees_for_an_asymmetric_psf(tmp_path, side):
    pixels, psf = sample("uint16", (90, 80)), gaussian_psf(side, side)
    psf[: side // 2] *= 0.3
    psf /= psf.sum()
    result = FILTERS["richardson_lucy"](Image(pixels, "YX"), psf=saved(tmp_path, psf), iterations=3).pixels
    inside = np.s_[36:-36, 36:-36]
    assert_agrees(result[inside], deconvolved(pixels, psf, 3)[inside], "uint16")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_sigma_equals_a_gaussian_psf(dtype):
    pixels = sample(dtype, (33, 40))
    psf = gaussian_psf(13, 13, sigma=1.5)  # to four standard deviations
    result = FILTERS["richardson_lucy"](Image(pixels, "YX"), sigma=1.5, iterations=5).pixels
    assert_agrees(result, deconvolved(pixels, psf, 5), dtype)


@pytest.mark.parametrize(("axes", "shape"), [("ZYX", (9, 16, 17)), ("ZCYX", (9, 2, 16, 17)), ("TZYX", (2, 9, 16, 17))])
def test_psf_with_slices_deconvolves_volumes(tmp_path, axes, shape):
    pixels, psf = sample("uint16", shape), gaussian_psf(3, 5, 7, sigma=1)
    result = FILTERS["richardson_lucy"](Image(pixels, axes), psf=saved(tmp_path, psf), iterations=4).pixels
    others = [axis for axis, letter in enumerate(axes) if letter in "CT"]
    volumes = [pixels] if not others else np.moveaxis(pixels, others[0], 0)
    results = [result] if not others else np.moveaxis(result, others[0], 0)
    for volume, each in zip(volumes, results, strict=True):
        assert_agrees(each, deconvolved(volume, psf, 4, beyond=30), "uint16")


@pytest.mark.parametrize("dtype", DTYPES)
def test_match_histograms_agrees(tmp_path, dtype):
    pixels, other = sample(dtype, (40, 50)), sample(dtype, (31, 44), seed=1) // 2
    result = FILTERS["match_histograms"](Image(pixels, "YX"), reference=saved(tmp_path, other)).pixels
    if dtype == "uint32":  # for which scikit-image would count every possible value
        pixels, other = pixels.astype("int64"), other.astype("int64")
    assert_agrees(result, ski.exposure.match_histograms(pixels, other), dtype)


@pytest.mark.parametrize(("axes", "shape", "channel_axis"), [("YXS", (20, 30, 3), -1), ("CZYX", (2, 3, 20, 30), 0)])
def test_match_histograms_agrees_channel_by_channel(tmp_path, axes, shape, channel_axis):
    pixels, other = sample("uint16", shape), sample("uint16", shape, seed=1) // 2
    imgpool.write(Image(other, axes), tmp_path / "other.ome.tif")
    result = FILTERS["match_histograms"](Image(pixels, axes), reference=str(tmp_path / "other.ome.tif")).pixels
    expected = ski.exposure.match_histograms(pixels, other, channel_axis=channel_axis)
    assert_agrees(result, expected.astype(float), "uint16")


@pytest.mark.parametrize("stains", ["hed", "hdx", "fgx", "bex", "rbd", "gdx", "hax", "bro", "bpx", "ahx", "hpx"])
def test_stains_agree_for_every_matrix_by_name(stains):
    pixels = sample("uint8", (20, 30, 3))
    separated = FILTERS["separate_stains"](Image(pixels, "YXS"), matrix=f"{stains}_from_rgb")
    expected = ski.color.separate_stains(pixels, getattr(ski.color, f"{stains}_from_rgb"))
    assert (separated.axes, separated.pixels.dtype, len(separated.metadata.channel_names)) == ("CYX", np.float32, 3)
    np.testing.assert_allclose(np.moveaxis(separated.pixels, 0, -1), expected, atol=1e-6)
    combined = FILTERS["combine_stains"](separated, matrix=f"rgb_from_{stains}")
    expected = ski.color.combine_stains(expected, getattr(ski.color, f"rgb_from_{stains}"))
    assert (combined.axes, combined.pixels.dtype) == ("YXS", np.float32)
    np.testing.assert_allclose(combined.pixels, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_stains_agree_for_every_dtype_and_a_matrix_from_a_file(tmp_path, dtype):
    pixels, file = sample(dtype, (20, 30, 3)), tmp_path / "stains.json"
    matrix = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]
    file.write_text(json.dumps({"stains": ["violet", "red", "brown"], "matrix": matrix}), "utf-8")
    separated = FILTERS["separate_stains"](Image(pixels, "YXS"), matrix=str(file)).pixels
    expected = ski.color.separate_stains(pixels.astype("f8") if dtype == "float16" else pixels, np.linalg.inv(matrix))
    np.testing.assert_allclose(np.moveaxis(separated, 0, -1), expected, atol=2e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("has_dark", [True, False])
def test_flat_field_equals_its_formula(tmp_path, dtype, has_dark):
    rng = np.random.default_rng(0)
    pixels = sample(dtype, (20, 30))
    level = float(pixels.max()) * 0.02
    dark = rng.uniform(0, level, (20, 30)) if has_dark else np.zeros((20, 30))
    flat = dark + rng.uniform(0.5, 1, (20, 30)) * level * 30
    parameters = {"dark": saved(tmp_path, dark, "dark.npy")} if has_dark else {}
    result = FILTERS["flat_field"](Image(pixels, "YX"), flat=saved(tmp_path, flat), **parameters).pixels
    assert_agrees(result, (pixels - dark) / (flat - dark) * (flat - dark).mean(), dtype)
