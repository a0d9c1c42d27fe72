"""Agreement with scikit-image: ±1 grey level for integers, 1e-5 of the range for floats."""

import numpy as np
import pytest
from skimage import color, exposure, filters, measure, segmentation, transform, util

from imgpool.core.image import Image
from imgpool.filters.color import rgb2gray
from imgpool.filters.exposure import adjust_gamma, invert, rescale_intensity, to_uint8
from imgpool.filters.segmentation import label, threshold
from imgpool.filters.transform import resize, rotate

DTYPES = ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"]
RANGES = ["image", "dtype", "uint8", "uint12", "int16", "float32", (3.0, 90.0)]


def scene(dtype="uint16", shape=(40, 53), *, seed=0, full=True):
    """Noisy discs on a slope over the full range of `dtype`, or from 0 to at most 60,000 if not `full`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    discs = sum(((y - cy) ** 2 + (x - cx) ** 2 < r * r) for cy, cx, r in ((10, 12, 6), (25, 35, 9), (33, 10, 4)))
    values = 0.12 + 0.1 * x / shape[1] + 0.5 * (discs > 0) + 0.05 * rng.standard_normal((y + x).shape)
    values = np.stack([np.roll(values, 5 * s, 0) for s in range(shape[2])], -1) if len(shape) > 2 else values
    if np.dtype(dtype).kind == "f":
        return values.clip(0, 1).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = (float(limits.min), float(limits.max)) if full else (0.0, min(limits.max, 60000.0))
    return (low + values.clip(0, 1) * (high - low)).astype(dtype)


def apply(filter_, pixels, **parameters):
    return filter_(Image(pixels, "YXS" if pixels.ndim == 3 else "YX"), **parameters).pixels


def assert_agrees(result, reference, levels=1.0):
    """Compare with a reference in floats, rounded and clipped for integers."""
    expected = np.asarray(reference, np.float64)
    tolerance = 1e-3 if result.dtype == np.float16 else 1e-5
    if result.dtype.kind in "ui":
        limits = np.iinfo(result.dtype)
        expected, tolerance = np.rint(expected).clip(limits.min, limits.max), levels
    assert result.shape == expected.shape
    assert np.abs(result.astype(np.float64) - expected).max() <= tolerance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("in_range", RANGES)
@pytest.mark.parametrize("out_range", RANGES[:-1])
def test_rescale_intensity_agrees(dtype, in_range, out_range):
    pixels = scene(dtype)
    precise = pixels.astype("f4") if dtype == "float16" else pixels  # scikit-image computes float16 imprecisely
    reference = exposure.rescale_intensity(precise, in_range, out_range)
    result = apply(rescale_intensity, pixels, in_range=in_range, out_range=out_range)
    assert result.dtype == (pixels.dtype if out_range in {"image", "dtype"} else reference.dtype)
    assert_agrees(result, reference)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_rescale_intensity_by_percentiles_agrees(dtype):
    pixels = scene(dtype)
    ends = tuple(np.percentile(pixels, (0.35, 99.65)))
    assert_agrees(
        apply(rescale_intensity, pixels, in_range="0.35%..99.65%"),
        exposure.rescale_intensity(pixels.astype("f8"), ends, (0, 1 if dtype == "float32" else np.iinfo(dtype).max)),
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64"])
@pytest.mark.parametrize(("gamma", "gain"), [(1, 1), (0.45, 1), (2.2, 1), (2.2, 0.5)])
@pytest.mark.parametrize("shape", [(40, 53), (40, 53, 3)])
def test_adjust_gamma_agrees(dtype, gamma, gain, shape):
    pixels = scene(dtype, shape)
    assert_agrees(apply(adjust_gamma, pixels, gamma=gamma, gain=gain), exposure.adjust_gamma(pixels, gamma, gain))


@pytest.mark.parametrize("dtype", ["bool", *DTYPES])
@pytest.mark.parametrize("signed_float", [False, True])
def test_invert_agrees(dtype, signed_float):
    pixels = scene("float32") > 0.4 if dtype == "bool" else scene(dtype)
    assert np.array_equal(
        apply(invert, pixels, signed_float=signed_float), util.invert(pixels, signed_float=signed_float)
    )


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "int8", "int16", "float32", "float64"])
def test_to_uint8_by_dtype_agrees_with_img_as_ubyte(dtype):
    pixels = scene("float32") > 0.4 if dtype == "bool" else scene(dtype)
    assert_agrees(apply(to_uint8, pixels, in_range="dtype"), util.img_as_ubyte(pixels))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 53, 3), (1, 1, 3), (1, 9, 3), (9, 1, 3)])
def test_rgb2gray_agrees(dtype, shape):
    pixels = scene(dtype, shape)
    assert_agrees(apply(rgb2gray, pixels), color.rgb2gray(pixels.astype("f8")))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 53), (40, 53, 3), (1, 1), (1, 9), (7, 1), (2, 3)])
@pytest.mark.parametrize("size", [(20, 26), (9, 50), (90, 20), (97, 131), (3, 4), (1, 1)])
def test_resize_agrees(dtype, shape, size):
    pixels = scene(dtype, shape)
    reference = transform.resize(pixels.astype("f8"), size, order=1, anti_aliasing=True, preserve_range=True)
    assert_agrees(apply(resize, pixels, height=size[0], width=size[1]), reference)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 53), (40, 53, 3)])
@pytest.mark.parametrize("size", [(20, 26), (7, 50), (3, 4), (1, 1)])
def test_resize_by_area_agrees(dtype, shape, size):
    pixels = scene(dtype, shape)
    reference = transform.resize_local_mean(pixels.astype("f8"), (*size, *shape[2:]), preserve_range=True)
    assert_agrees(apply(resize, pixels, height=size[0], width=size[1], interpolation="area"), reference)


@pytest.mark.parametrize("size", [(20, 26), (9, 50), (97, 131), (3, 4), (1, 1)])
def test_resize_by_nearest_pixel_agrees(size):
    pixels = scene("uint16")
    reference = transform.resize(pixels, size, order=0, anti_aliasing=False, preserve_range=True)
    result = apply(resize, pixels, height=size[0], width=size[1], interpolation="nearest")
    assert np.array_equal(result, reference)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(40, 53), (40, 53, 3), (1, 9)])
@pytest.mark.parametrize("options", [
    {}, {"resize": True}, {"order": 0}, {"order": 3}, {"mode": "edge"}, {"cval": 7},
    {"mode": "reflect", "resize": True},
])  # fmt: skip
def test_rotate_agrees(dtype, shape, options):
    pixels = scene(dtype, shape)
    for angle in (30, -101.5):
        reference = transform.rotate(pixels.astype("f8"), angle, preserve_range=True, **options)
        assert_agrees(apply(rotate, pixels, angle=angle, **options), reference)


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_rotation_of_a_square_by_90_degrees_agrees(angle):
    pixels = scene("uint16", (40, 40))
    reference = transform.rotate(pixels.astype("f8"), angle, preserve_range=True)
    assert_agrees(apply(rotate, pixels, angle=angle), reference)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["otsu", "li", "triangle", "yen", "isodata", "mean", "minimum"])
def test_threshold_agrees(dtype, method):
    pixels = scene(dtype, full=False)
    if method == "minimum" and pixels.dtype.kind in "ui":
        pixels = pixels // (pixels.max() // 100)  # the method smooths the histogram thousands of times
    reference = pixels.astype("f4") if dtype == "float16" else pixels
    level = getattr(filters, f"threshold_{method}")(reference.copy())
    assert np.array_equal(apply(threshold, pixels, method=method) > 0, reference > level)


@pytest.mark.parametrize("method", ["otsu", "li", "triangle", "yen", "isodata", "mean"])
def test_threshold_of_wide_integers_equals_that_of_floats(method):
    pixels = scene("uint32")
    level = getattr(filters, f"threshold_{method}")(pixels.astype("f8"))
    assert np.array_equal(apply(threshold, pixels, method=method) > 0, pixels > level)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "offset"), [(3, 0), (15, 0), (51, 0), (15, -20)])
def test_local_threshold_agrees(dtype, size, offset):
    pixels = scene(dtype)
    level = filters.threshold_local(pixels.astype("f8"), size, offset=offset)
    result = apply(threshold, pixels, method="local", size=size, offset=offset)
    assert np.array_equal(result > 0, pixels > level)


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("density", [0.2, 0.45, 0.7])
def test_label_agrees(connectivity, density):
    mask = np.random.default_rng(3).random((70, 91)) < density
    reference = measure.label(mask, connectivity=connectivity)
    assert np.array_equal(apply(label, mask, connectivity=connectivity), reference)
    cleared = measure.label(segmentation.clear_border(reference) > 0, connectivity=connectivity)
    assert np.array_equal(apply(label, mask, connectivity=connectivity, clear_border=True), cleared)


@pytest.mark.parametrize("connectivity", [1, 2, 3])
def test_label_of_volumes_agrees(connectivity):
    mask = np.random.default_rng(3).random((6, 20, 21)) < 0.3
    result = label(Image(mask, "ZYX"), connectivity=connectivity, per="volume").pixels
    assert np.array_equal(result, measure.label(mask, connectivity=connectivity))
