"""Neighbourhoods: disks, squares and their parameters."""

import numpy as np
import pytest
from skimage.morphology import disk

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.quantity import Length
from imgpool.filters._kernels.neighbourhood import Neighbourhood

DEFAULT = Neighbourhood(None, 3)


@pytest.mark.parametrize("radius", [1, 2, 5, 12])
def test_disk_agrees_with_scikit_image(radius):
    assert np.array_equal(Neighbourhood(Length(radius)).footprint(None), disk(radius))


def test_fractional_disk_contains_the_centres_within():
    assert Neighbourhood(Length(1.5)).footprint(None).tolist() == [[True] * 3] * 3
    assert Neighbourhood(Length(0.4)).footprint(None).tolist() == [[True]]


def test_radius_with_a_unit_uses_the_pixel_size():
    neighbourhood = Neighbourhood(Length.parse("1.3um"))
    assert neighbourhood.reach(PixelSize(0.325, 0.325)) == 4
    with pytest.raises(FilterError, match="not square"):
        neighbourhood.reach(PixelSize(0.325, 0.65))


def test_huge_radius_is_refused_before_allocation():
    with pytest.raises(FilterError, match="4000000 px") as caught:
        Neighbourhood(Length.parse("1300mm")).footprint(PixelSize(0.325, 0.325))
    assert "unit" in caught.value.hint


def test_size_gives_a_square():
    assert Neighbourhood(None, 5).footprint(None).shape == (5, 5)
    assert Neighbourhood(None, 5).reach(None) == 2


def test_default_without_parameters_and_both_are_refused():
    assert Neighbourhood.from_parameters("median", None, None, DEFAULT) is DEFAULT
    assert Neighbourhood.from_parameters("median", None, 5, DEFAULT) == Neighbourhood(None, 5)
    with pytest.raises(RecipeError, match="not both") as caught:
        Neighbourhood.from_parameters("median", Length(2), 5, DEFAULT)
    assert "radius=2px" in caught.value.hint
