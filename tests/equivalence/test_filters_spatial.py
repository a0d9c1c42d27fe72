"""Neighbourhood filters agree with scikit-image."""

import numpy as np
import pytest
import skimage as ski
from skimage.morphology import disk

from imgpool.core.catalogue import FILTERS
from imgpool.core.image import Image

INTEGERS = ["uint8", "uint16", "uint32", "int8", "int16", "int32"]
FLOATS = ["float16", "float32", "float64"]
SHAPES = {
    "grey": ("YX", (33, 47)),
    "rgb": ("YXS", (21, 18, 3)),
    "stack": ("TCYX", (2, 2, 14, 15)),
    "rgb stack": ("ZYXS", (2, 9, 12, 3)),
    "one pixel": ("YX", (1, 1)),
    "one row": ("YX", (1, 23)),
    "one column": ("YX", (19, 1)),
    "smaller than the kernel": ("YXS", (2, 3, 3)),
}


def white(dtype):
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "ui" else 1.0


def sample(dtype, shape, seed=0):
    """Random values over the whole range of the type; from -1 to 1 for floats."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(-1, 1, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def gaussian(plane, sigma=1, truncate=4.0):
    return ski.filters.gaussian(plane.astype(float), sigma, mode="nearest", preserve_range=True, truncate=truncate)


def median(plane, size=None, radius=None):
    footprint = np.ones((size or 3, size or 3)) if radius is None else disk(radius)
    return ski.filters.median(plane.astype(float), footprint, mode="nearest").astype(float)


def unsharp_mask(plane, radius=1, amount=1.0):
    unit = plane.astype(float) / white(plane.dtype)
    return ski.filters.unsharp_mask(unit, radius, amount) * white(plane.dtype)


def sobel(plane):
    return ski.filters.sobel(plane.astype(float))


def white_tophat(plane, size=None, radius=None):
    footprint = disk(1 if radius is None else radius) if size is None else np.ones((size, size))
    return ski.morphology.white_tophat(plane.astype(float), footprint)


CASES = [
    (gaussian, {}),
    (gaussian, {"sigma": 2.5, "truncate": 2.0}),
    (gaussian, {"sigma": 0.7}),
    (median, {}),
    (median, {"size": 5}),
    (median, {"size": 9}),
    (median, {"radius": 2}),
    (median, {"radius": 7}),
    (unsharp_mask, {}),
    (unsharp_mask, {"radius": 3, "amount": 0.6}),
    (unsharp_mask, {"radius": 0.4, "amount": -0.5}),
    (unsharp_mask, {"radius": 2, "amount": 9.5}),
    (unsharp_mask, {"radius": 2, "amount": 20}),
    (sobel, {}),
    (white_tophat, {}),
    (white_tophat, {"radius": 4}),
    (white_tophat, {"size": 5}),
]
NAMES = ["-".join([case.__name__, *(f"{k}={v}" for k, v in given.items())]) for case, given in CASES]


def by_plane(reference, pixels, axes, given):
    """Apply a reference of (Y, X) to every plane and sample."""
    y = axes.index("Y")
    planes = np.moveaxis(pixels, (y, y + 1), (-2, -1))
    result = np.empty(planes.shape)
    for index in np.ndindex(planes.shape[:-2]):
        result[index] = reference(planes[index], **given)
    return np.moveaxis(result, (-2, -1), (y, y + 1))


def assert_agrees(result, expected):
    if result.dtype.kind in "ui":
        limits = np.iinfo(result.dtype)
        expected = np.clip(np.rint(expected), limits.min, limits.max)
        assert np.abs(result.astype(float) - expected).max() <= 1
    else:
        tolerance = 2e-3 if result.dtype == np.float16 else 1e-5
        assert np.abs(result - expected).max() <= tolerance * np.ptp(expected) + tolerance


@pytest.mark.parametrize(("reference", "given"), CASES, ids=NAMES)
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_for_every_layout(reference, given, shape):
    axes, lengths = SHAPES[shape]
    pixels = sample("uint16", lengths)
    result = FILTERS[reference.__name__](Image(pixels, axes), **given).pixels
    assert result.dtype == pixels.dtype
    assert_agrees(result, by_plane(reference, pixels, axes, given))


@pytest.mark.parametrize(("reference", "given"), CASES, ids=NAMES)
@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_agrees_for_every_dtype(reference, given, dtype):
    pixels = sample(dtype, (24, 31))
    result = FILTERS[reference.__name__](Image(pixels, "YX"), **given).pixels
    assert result.dtype == pixels.dtype
    assert_agrees(result, reference(pixels, **given))


@pytest.mark.parametrize(("reference", "given"), CASES, ids=NAMES)
def test_opaque_alpha_changes_nothing(reference, given):
    pixels = sample("uint8", (12, 13, 4))
    pixels[..., 3] = 255
    result = FILTERS[reference.__name__](Image(pixels, "YXS"), **given).pixels
    assert_agrees(result[..., :3], by_plane(reference, pixels[..., :3], "YXS", given))
    assert (result[..., 3] == 255).all()


@pytest.mark.parametrize(("reference", "given"), CASES, ids=NAMES)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_byte_order_does_not_matter(reference, given, dtype):
    pixels = sample(dtype, (11, 12))
    swapped = pixels.astype(pixels.dtype.newbyteorder())
    one, other = (FILTERS[reference.__name__](Image(each, "YX"), **given).pixels for each in (pixels, swapped))
    assert np.array_equal(one, other)


def test_gaussian_ignores_nan():
    pixels = sample("float64", (15, 17))
    pixels[4, 5] = pixels[0, 0] = pixels[14, 8] = np.nan
    present = (~np.isnan(pixels)).astype(float)
    expected = gaussian(np.nan_to_num(pixels), sigma=1.5) / gaussian(present, sigma=1.5)
    result = FILTERS["gaussian"](Image(pixels, "YX"), sigma=1.5).pixels
    assert np.array_equal(np.isnan(result), np.isnan(pixels))
    np.testing.assert_allclose(result[present == 1], expected[present == 1], rtol=1e-12)


def test_gaussian_with_alpha_blurs_premultiplied_colour():
    pixels = sample("uint8", (15, 17, 2))
    grey, alpha = pixels[..., 0].astype(float), pixels[..., 1] / 255
    expected = gaussian(grey * alpha) / gaussian(alpha)
    result = FILTERS["gaussian"](Image(pixels, "YXS")).pixels
    visible = pixels[..., 1] > 0
    assert np.abs(result[visible, 0] - expected[visible]).max() <= 1
    assert np.array_equal(result[..., 1], pixels[..., 1])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("given", [{"size": 3}, {"size": 7}, {"radius": 3}, {"radius": 10}])
def test_median_ignores_nan_and_holes(dtype, given):
    pixels = sample(dtype, (16, 14, 2))
    hole = np.random.default_rng(1).random((16, 14)) < 0.2
    pixels[..., 1] = np.where(hole, 0, white(dtype)).astype(dtype)
    result = FILTERS["median"](Image(pixels, "YXS"), **given).pixels[..., 0]

    footprint = disk(given["radius"]) if "radius" in given else np.ones((given["size"],) * 2)
    reach = len(footprint) // 2
    values = np.pad(pixels[..., 0], reach, mode="edge")
    absent = np.pad(hole, reach, mode="edge")
    for y, x in np.argwhere(~hole):
        window = np.s_[y : y + 2 * reach + 1, x : x + 2 * reach + 1]
        there = np.sort(values[window][(footprint > 0) & ~absent[window]])
        assert result[y, x] == there[len(there) // 2]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(40, 56), (37, 41), (1, 1), (1, 9), (24, 17, 3)])
@pytest.mark.parametrize("given", [{}, {"kernel_size": 6, "clip_limit": 0.03, "nbins": 64}])
def test_equalize_adapthist_agrees(dtype, shape, given):
    pixels = np.abs(sample(dtype, shape))
    result = FILTERS["equalize_adapthist"](Image(pixels, "YXS"[: len(shape)]), **given).pixels
    if pixels.size == 1:
        assert np.array_equal(result, pixels)  # constant
        return
    assert_agrees(result, ski.exposure.equalize_adapthist(pixels, **given) * white(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(64, 80), (37, 41), (3, 5), (1, 9)])
def test_clahe_agrees_with_opencv(dtype, shape):
    import cv2

    pixels = sample(dtype, shape)
    result = FILTERS["clahe"](Image(pixels, "YX"), clip_limit=3, tile_grid=4).pixels
    assert np.array_equal(result, cv2.createCLAHE(3, (4, 4)).apply(pixels))
