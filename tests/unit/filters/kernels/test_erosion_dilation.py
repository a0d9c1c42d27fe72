"""Erosion and dilation by disks and squares agree with scipy."""

import numpy as np
import pytest
from scipy import ndimage

from imgpool.core.quantity import Length
from imgpool.filters._kernels.erosion_dilation import STRIP_ROWS, dilate, erode
from imgpool.filters._kernels.neighbourhood import Neighbourhood

OPERATIONS = {"erode": (erode, ndimage.grey_erosion), "dilate": (dilate, ndimage.grey_dilation)}


def noise(shape, dtype):
    return np.random.default_rng(3).integers(0, 120, shape).astype(dtype)


def disk(radius):
    return Neighbourhood(Length(radius)).footprint(None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("radius", [1, 4.5, 5, 6.3, 15, 40])
def test_erosion_and_dilation_by_disks_agree_with_scipy(operation, dtype, radius):
    ours, reference = OPERATIONS[operation]
    image, footprint = noise((STRIP_ROWS + 29, 90), dtype), disk(radius)
    before = image.copy()
    np.testing.assert_array_equal(ours(image, footprint), reference(image, footprint=footprint, mode="reflect"))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (7, 9), (STRIP_ROWS, 3), (2 * STRIP_ROWS, 4)])
def test_images_of_any_size_are_filtered(operation, shape):
    ours, reference = OPERATIONS[operation]
    image, footprint = noise(shape, "uint16"), disk(8)
    np.testing.assert_array_equal(ours(image, footprint), reference(image, footprint=footprint, mode="reflect"))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("footprint", [disk(9), np.ones((21, 21), bool)], ids=["disk", "square"])
def test_samples_are_filtered_separately(operation, footprint):
    ours, _ = OPERATIONS[operation]
    image = noise((50, 40, 3), "uint8")
    found = ours(image, footprint)
    for sample in range(3):
        np.testing.assert_array_equal(found[..., sample], ours(np.ascontiguousarray(image[..., sample]), footprint))


def test_infinite_values_are_ordered():
    image = noise((40, 40), "float32")
    image[5, 6], image[30, 20] = np.inf, -np.inf
    np.testing.assert_array_equal(erode(image, disk(7)), ndimage.grey_erosion(image, footprint=disk(7)))
