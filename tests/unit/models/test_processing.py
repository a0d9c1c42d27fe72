"""Pre- and postprocessing: each operation computes what the bioimage.io specification says."""

import numpy as np
import pytest

from imgpool.core.model import Operation
from imgpool.models.processing import OPERATORS, apply_operations, convert, dtype_after

OPERATION_PARAMETERS = {
    "binarize": {"threshold": 0.5},
    "clip": {"min": 0.2, "max": 0.8},
    "ensure_dtype": {"dtype": "uint16"},
    "fixed_zero_mean_unit_variance": {"mean": 3.0, "std": 2.0},
    "scale_linear": {"gain": 2.0, "offset": 1.0},
    "scale_mean_variance": {"reference_tensor": "raw", "eps": 1e-6},
    "scale_range": {"min_percentile": 1.0, "max_percentile": 99.0, "eps": 1e-6},
    "sigmoid": {},
    "softmax": {"axis": "C"},
    "zero_mean_unit_variance": {"eps": 1e-6},
}


def apply(name, values, letters="CYX", references=None, **parameters):
    return apply_operations([Operation(name, parameters)], values.copy(), letters, references or {})


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(100, 20, (2, 30, 40)).astype(np.float32)


def test_every_operation_is_tested():
    assert set(OPERATION_PARAMETERS) == set(OPERATORS)


@pytest.mark.parametrize("name", OPERATION_PARAMETERS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_dtype_after_is_the_dtype_of_the_result(name, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    operation = Operation(name, OPERATION_PARAMETERS[name])
    result = apply_operations([operation], array.copy(), "CYX", {"raw": (array, "CYX")})
    assert result.dtype == dtype_after([operation], np.dtype(dtype))
    assert result.shape == array.shape


def test_zero_mean_unit_variance_is_per_channel_or_overall(values):
    result = apply("zero_mean_unit_variance", values, axes="YX", eps=1e-6)
    for channel, output in zip(values.astype(np.float64), result, strict=True):
        assert np.allclose(output, (channel - channel.mean()) / (channel.std() + 1e-6), rtol=0, atol=1e-6)
    together = apply("zero_mean_unit_variance", values, eps=1e-6)
    wide = values.astype(np.float64)
    assert np.allclose(together, (wide - wide.mean()) / (wide.std() + 1e-6), rtol=0, atol=1e-6)


def test_small_spread_far_from_zero_is_precise():
    """In 32 bits, the sum of a million values, or of their squares, is off by far more than the spread."""
    values = (60_000 + np.random.default_rng(0).integers(0, 3, (1, 1000, 1000))).astype(np.float32)
    result = apply("zero_mean_unit_variance", values, eps=1e-6)
    wide = values.astype(np.float64)
    assert np.allclose(result, (wide - wide.mean()) / (wide.std() + 1e-6), rtol=0, atol=1e-6)


@pytest.mark.parametrize("level", [0, 0.1, 40_000, 2**32 - 1])
@pytest.mark.parametrize("name", ["zero_mean_unit_variance", "scale_range"])
def test_constant_image_becomes_zero_not_nan(name, level):
    values = np.full((1, 50, 50), level, np.float32)
    assert not apply(name, values, **OPERATION_PARAMETERS[name]).any()


def test_scale_range_maps_percentiles_to_0_and_1(values):
    result = apply("scale_range", values, axes="YX", min_percentile=1.0, max_percentile=99.8, eps=1e-3)
    for channel, output in zip(values.astype(np.float64), result, strict=True):
        low, high = np.percentile(channel, [1, 99.8])
        assert np.allclose(output, (channel - low) / (high - low + 1e-3), rtol=0, atol=1e-6)


def test_scale_range_may_use_percentiles_of_another_tensor(values):
    raw = np.random.default_rng(1).normal(10, 2, (30, 40))
    low, high = np.percentile(raw, [0, 100])
    parameters = {"axes": "YX", "reference_tensor": "raw", "min_percentile": 0.0, "max_percentile": 100.0, "eps": 1e-6}
    result = apply("scale_range", values, references={"raw": (raw, "YX")}, **parameters)
    assert np.allclose(result, (values - low) / (high - low + 1e-6), rtol=1e-6)


def test_scale_mean_variance_matches_the_reference(values):
    raw = np.random.default_rng(1).normal(10, 2, (30, 40, 2)).astype(np.float32)  # its axes in another order
    parameters = {"axes": "YX", "reference_tensor": "raw", "eps": 1e-6}
    result = apply("scale_mean_variance", values, references={"raw": (raw, "YXC")}, **parameters).astype(np.float64)
    assert result.mean((1, 2)) == pytest.approx(raw.mean((0, 1), dtype=np.float64), abs=1e-5)
    assert result.std((1, 2)) == pytest.approx(raw.std((0, 1), dtype=np.float64), abs=1e-5)
    assert np.corrcoef(result[0].ravel(), values[0].ravel())[0, 1] == pytest.approx(1)


def test_fixed_values_apply_to_their_channels(values):
    result = apply("fixed_zero_mean_unit_variance", values, mean=(90.0, 110.0), std=(10.0, 20.0), axis="C")
    assert np.allclose(result[0], (values[0] - 90) / 10, atol=1e-6)
    assert np.allclose(result[1], (values[1] - 110) / 20, atol=1e-6)
    linear = apply("scale_linear", values, gain=(1.0, 2.0), offset=(0.0, -1.0), axis="C")
    assert np.allclose(linear, values * np.array([1, 2])[:, None, None] + np.array([0, -1])[:, None, None])
    mask = apply("binarize", values, threshold=(100.0, 1000.0), axis="C")
    assert np.array_equal(mask, [values[0] > 100, values[1] > 1000])


def test_clip_takes_values_or_percentiles(values):
    assert np.array_equal(apply("clip", values, min=90.0), np.maximum(values, 90))
    low, high = np.percentile(values, [5, 95], axis=(1, 2), keepdims=True, method="inverted_cdf")
    result = apply("clip", values, min_percentile=5.0, max_percentile=95.0, axes="YX")
    assert np.array_equal(result, np.clip(values, low, high))


def test_sigmoid_and_softmax_do_not_overflow():
    values = np.array([[[-1e4, -1, 0, 1, 1e4]], [[0, 0, 0, 0, 0]]], np.float32)
    with np.errstate(over="ignore"):
        assert np.allclose(apply("sigmoid", values)[0], 1 / (1 + np.exp(-values[0].astype(np.float64))))
    result = apply("softmax", values, axis="C")
    assert np.allclose(result.sum(0), 1)
    assert result[0, 0, 2] == pytest.approx(0.5)
    assert result[1, 0, 0] == 1


def test_operations_apply_in_order(values):
    chain = [Operation("clip", {"min": 100.0}), Operation("zero_mean_unit_variance", {"eps": 1e-6})]
    clipped = np.maximum(values, 100).astype(np.float64)
    expected = (clipped - clipped.mean()) / (clipped.std() + 1e-6)
    assert np.allclose(apply_operations(chain, values.copy(), "CYX"), expected, rtol=0, atol=1e-6)


def test_statistics_exclude_the_batch_axis():
    values = np.stack([np.arange(12.0), np.arange(12.0) * 100]).reshape(2, 1, 3, 4).astype(np.float32)
    result = apply("zero_mean_unit_variance", values, "BCYX", eps=1e-6)
    assert np.allclose(result.mean((1, 2, 3)), 0, atol=1e-6)
    assert np.allclose(result.std((1, 2, 3)), 1, atol=1e-3)


def test_integers_are_rounded_and_clipped():
    values = np.array([-5, 0.4, 0.6, 254.5, 300], np.float32)
    assert convert(values, np.dtype(np.uint8)).tolist() == [0, 0, 1, 254, 255]
    assert convert(values > 0, np.dtype(np.float32)).tolist() == [0, 1, 1, 1, 1]


def test_order_of_axes_does_not_matter(values):
    parameters = {"axes": "YX", "eps": 1e-6}
    straight = apply("zero_mean_unit_variance", values, **parameters)
    turned = apply("zero_mean_unit_variance", np.moveaxis(values, 0, -1), "YXC", **parameters)
    assert np.allclose(np.moveaxis(turned, -1, 0), straight, rtol=0, atol=1e-6)
