"""Histograms and percentiles agree with NumPy; groups of pixels."""

import numpy as np
import pytest

from imgpool.core.quantity import Range
from imgpool.filters._pixels.statistics import group_indices, histogram, level_range


def rng():
    """A new generator for each test, so that tests do not depend on each other."""
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_histogram_counts_every_level(dtype):
    limits = np.iinfo(dtype)
    for low, high in ((limits.min, limits.max), (limits.max - 3, limits.max), (limits.min, limits.min)):
        values = rng().integers(low, high, (40, 50), endpoint=True).astype(dtype)
        counts, levels = histogram(values)
        assert (levels[0], levels[-1]) == (values.min(), values.max())
        assert np.array_equal(counts, np.bincount(values.ravel().astype(int) - int(values.min())))


def test_counts_above_float32_precision_are_exact():
    counts, levels = histogram(np.zeros((2**24 + 5,), np.uint8))
    assert (counts.tolist(), levels.tolist()) == ([2**24 + 5], [0])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
@pytest.mark.parametrize("ends", [(0, 100), (0.35, 99.65), (10, 90), (33.3, 33.4)])
def test_percentiles_agree_with_numpy(dtype, ends):
    for size in (1, 2, 3, 10, 1000):
        values = (rng().random(size) * 100 - (50 if np.dtype(dtype).kind == "i" else 0)).astype(dtype)
        expected = np.percentile(values.astype(np.float64), ends)
        assert np.allclose(level_range(values, Range(*ends, percent=True)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("scene", ["normal", "steps", "one", "tiny", "zeros of both signs"])
def test_percentiles_of_many_floats_agree_with_numpy(dtype, scene):
    values = {
        "normal": rng().standard_normal((300, 200)),
        "steps": np.round(rng().standard_normal((300, 200)) * 3),
        "one": np.full((300, 200), -0.3),
        "tiny": rng().standard_normal((300, 200)) * 1e-7,
        "zeros of both signs": np.where(rng().random((300, 200)) < 0.5, -0.0, 0.0),
    }[scene].astype(dtype)
    for ends in ((0, 100), (0.35, 99.65), (50, 50.1)):
        expected = np.percentile(values.astype(np.float64), ends)
        assert np.allclose(level_range(values, Range(*ends, percent=True)), expected, rtol=1e-12, atol=0)
        assert np.allclose(level_range(values[::2, ::-3], Range(*ends, percent=True)),
                           np.percentile(values[::2, ::-3].astype(np.float64), ends), rtol=1e-12, atol=0)  # fmt: skip


def test_only_finite_values_count():
    values = np.array([np.nan, 1, np.inf, 3, -np.inf])
    assert level_range(values) == (1, 3)
    assert level_range(values, Range(0, 50, percent=True)) == (1, 2)
    assert np.isnan(level_range(np.array([np.nan, np.inf]))).all()


@pytest.mark.parametrize(("per", "axes", "groups"), [
    ("image", "TCYX", 1), ("channel", "TCYX", 3), ("plane", "TCYX", 6), ("channel", "TZYX", 1), ("plane", "YXS", 1),
])  # fmt: skip
def test_groups_cover_every_pixel_once(per, axes, groups):
    seen = np.zeros((2, 3, 4, 3)[-len(axes) :], int)
    indices = list(group_indices(axes, seen.shape, per))
    for index in indices:
        seen[index] += 1
    assert len(indices) == groups
    assert (seen == 1).all()
