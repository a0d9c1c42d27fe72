"""Medians computed from medians of bytes are exact for any number of levels and at tile borders."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import median_filter

from imgpool.core.quantity import Length
from imgpool.filters._kernels.median import median as median_of_plane
from imgpool.filters._kernels.median_levels import median_by_levels
from imgpool.filters._kernels.neighbourhood import Neighbourhood

REACH = 3


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr("imgpool.filters._kernels.median_levels.TILE_PX", 32)


def scene(dtype, spread):
    """A noisy ramp, so that each tile has different levels."""
    rng = np.random.default_rng(4)
    ramp = np.linspace(-2000 if np.dtype(dtype).kind != "u" else 3000, 20_000, 80)[:, np.newaxis]
    return (ramp + rng.normal(0, spread, (80, 67))).astype(dtype)


def by_levels(plane, max_calls=1000):
    """Return the medians, and the number of tiles that used the fallback."""
    side, tiles = 2 * REACH + 1, []

    def fallback(tile):
        tiles.append(tile)
        return median_filter(tile, side, mode="nearest")

    return median_by_levels(plane, REACH, lambda tile: cv2.medianBlur(tile, side), max_calls, fallback), len(tiles)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("spread", [1, 60, 700])
def test_result_is_the_median(dtype, spread):
    plane = scene(dtype, spread)
    found, fallbacks = by_levels(plane)
    np.testing.assert_array_equal(found, median_filter(plane, 2 * REACH + 1, mode="nearest"))
    assert found.dtype == plane.dtype
    assert fallbacks == 0


@pytest.mark.usefixtures("small_tiles")
def test_tile_with_many_levels_uses_the_fallback():
    plane = scene("uint16", 1)
    plane[:32, :32] = np.random.default_rng(1).integers(0, 2**16, (32, 32))
    found, fallbacks = by_levels(plane, max_calls=3)
    np.testing.assert_array_equal(found, median_filter(plane, 2 * REACH + 1, mode="nearest"))
    assert 0 < fallbacks < 9


def test_more_levels_than_bytes_resolve_use_the_fallback():
    plane = np.random.default_rng(1).permutation(300 * 300).astype(np.float32).reshape(300, 300)
    found, fallbacks = by_levels(plane)
    np.testing.assert_array_equal(found, median_filter(plane, 2 * REACH + 1, mode="nearest"))
    assert fallbacks == 1


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize(("size", "radius"), [(9, None), (21, None), (None, "5px"), (None, "10px")])
def test_median_filter_is_exact_for_every_neighbourhood(dtype, size, radius):
    plane = scene(dtype, 50)
    neighbourhood = Neighbourhood.from_parameters(
        "median", radius and Length.parse(radius), size, Neighbourhood(None, 3)
    )
    footprint = neighbourhood.footprint(None)
    np.testing.assert_array_equal(
        median_of_plane(plane, None, footprint), median_filter(plane, footprint=footprint, mode="nearest")
    )
