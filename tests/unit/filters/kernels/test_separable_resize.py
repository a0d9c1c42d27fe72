"""Weights of resized pixels, and resizing in blocks."""

import numpy as np
import pytest
from skimage import transform

from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.filters._kernels.separable_resize import AxisScale, mean_of_area, resize_plane, smooth_and_interpolate
from imgpool.filters.geometry import auto_orient
from imgpool.filters.transform import resize

WEIGHTINGS = [smooth_and_interpolate, mean_of_area]
LENGTHS = [(40, 13, 40), (40, 97, 40), (40, 40, 40), (1, 5, 1), (7, 1, 7), (40, 11, 80), (40, 11, 160), (40, 79, 80),
           (40, 200, 80), (40, 1, 80)]  # fmt: skip
AXES = [AxisScale(*lengths) for lengths in LENGTHS]


def noise(*shape, dtype="uint8"):
    values = np.random.default_rng(1).random(shape)
    return (values * (200 if np.dtype(dtype).kind in "ui" else 1)).astype(dtype)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_weights_are_positive_centred_and_sum_to_1(axis, weighting):
    indices, weights = weighting(axis)
    assert len(indices) == axis.new
    assert indices.min() >= 0
    assert indices.max() < axis.old
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    inner = slice(axis.new // 3, axis.new - axis.new // 3)
    middles = (weights * (indices + 0.5)).sum(axis=1)[inner]
    assert axis.old == 1 or np.abs(middles - axis.centres[inner, 0]).max() < 0.1


@pytest.mark.parametrize(
    ("weighting", "binning", "factor"),
    [
        (smooth_and_interpolate, 2, 3.6),
        (smooth_and_interpolate, 2, 5.5),
        (smooth_and_interpolate, 4, 7.3),
        (smooth_and_interpolate, 4, 20),
        (mean_of_area, 2, 7.3),
        (mean_of_area, 4, 15),
    ],
)
def test_binned_input_is_blurred_less(weighting, binning, factor):
    """Binning and the remaining blur together equal the blur of the full image."""
    length = 4096
    new = round(length / factor)
    whole, reduced = (
        spread(*weighting(AxisScale(length // each, new, length)), new // 2) * each**2 + (each**2 - 1) / 12
        for each in (1, binning)
    )
    assert reduced == pytest.approx(whole, rel=0.08)


def spread(indices, weights, pixel):
    """Mean variance of the weights of several output pixels."""
    some = slice(pixel - 20, pixel + 20)
    middle = (weights[some] * indices[some]).sum(axis=1, keepdims=True)
    return ((indices[some] - middle) ** 2 * weights[some]).sum(axis=1).mean()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("size", [(700, 90), (301, 500), (299, 61)])
def test_resize_in_blocks_agrees_with_scikit_image(dtype, size):
    pixels = noise(600, 80, 3, dtype=dtype)
    image = Image(pixels, "YXS")
    linear = transform.resize(pixels.astype("f8"), size, order=1, anti_aliasing=True, preserve_range=True)
    tolerance = 0.51 if pixels.dtype.kind == "u" else 1e-5
    result = resize(image, height=size[0], width=size[1]).pixels
    assert np.abs(result - linear).max() <= tolerance


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("shape", [(120, 36), (120, 36, 3)])
@pytest.mark.parametrize("size", [(60, 18), (40, 12), (30, 9), (60, 9), (120, 18), (1, 1)])
def test_binning_by_integers_is_the_mean_of_each_bin(dtype, shape, size):
    pixels = noise(*shape, dtype=dtype)
    height, width = (old // new for old, new in zip(shape, size, strict=False))
    means = pixels.reshape(size[0], height, size[1], width, -1).mean(axis=(1, 3), dtype="f8")
    result = resize(Image.from_array(pixels), height=size[0], width=size[1], interpolation="area").pixels
    difference = np.abs(result.reshape(means.shape) - means).max()
    assert difference <= (0.5 if pixels.dtype.kind in "ui" else 1e-6)


@pytest.mark.parametrize("interpolation", ["linear", "area"])
def test_infinity_spreads_to_the_reach_of_the_kernel(interpolation):
    pixels = noise(40, 50, dtype="float32")
    expected = resize(Image(pixels, "YX"), scale=0.5, interpolation=interpolation).pixels
    pixels[20, 20], pixels[20, 32], pixels[20, 34] = np.inf, np.inf, -np.inf
    result = resize(Image(pixels, "YX"), scale=0.5, interpolation=interpolation).pixels
    changed = ~np.isfinite(result)
    assert result[10, 10] == np.inf
    assert changed[10, 16:18].all()
    assert not changed[:7].any()
    assert not changed[:, :7].any()
    assert np.isnan(result).any() == (interpolation == "linear")  # where both infinities meet
    np.testing.assert_allclose(result[~changed], expected[~changed], atol=1e-6)


def test_reduced_input_gets_the_size_of_the_full_image():
    metadata = Metadata(full_size=(400, 600), dpi=(300, 150))
    image = Image(noise(200, 300, 3), "YXS", PixelSize(0.5, 0.25), metadata)
    for size, expected in (({"scale": 0.1}, (40, 60)), ({"longest": 90}, (60, 90)), ({"height": 50}, (50, 75))):
        small = resize(image, **size)
        assert small.pixels.shape == (*expected, 3)
        assert small.pixel_size == pytest.approx((0.5 * 400 / expected[0], 0.25 * 600 / expected[1], None))
        assert small.metadata.full_size is None
        assert small.metadata.dpi == (300, 150)
    assert resize(image, longest=600).pixels.shape == (400, 600, 3)
    assert resize(image, height=200, width=300).metadata.full_size is None


def test_auto_orient_swaps_the_full_size():
    exif = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    image = Image(noise(200, 300, 3), "YXS", metadata=Metadata(full_size=(400, 600), exif=exif))
    assert auto_orient(image).metadata.full_size == (600, 400)


def test_resize_does_not_modify_its_input():
    pixels = noise(30, 40)
    before = pixels.copy()
    for weighting in WEIGHTINGS:
        for size in ((30, 40), (15, 20), (7, 90)):
            resize_plane(pixels, AxisScale(30, size[0], 30), AxisScale(40, size[1], 40), weighting)
            assert np.array_equal(pixels, before)
