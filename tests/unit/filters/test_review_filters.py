"""What the last review of the filters found."""

import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import RecipeError
from imgpool.core.image import Image, Metadata
from imgpool.core.recipe import Recipe


@pytest.mark.parametrize("value", ["[1", "a: b: c", "!!python/object:os.system x"])
def test_a_value_for_skimage_that_cannot_be_read_is_a_recipe_error(value):
    with pytest.raises(RecipeError, match="sigma"):
        Recipe.from_specs([f"skimage.filters.gaussian:sigma={value}"])


@pytest.mark.parametrize("name", ["adjust_gamma", "invert"])
def test_colour_under_an_alpha_beyond_1_is_that_of_an_opaque_pixel(name):
    colour = np.full((2, 2, 3), 0.25, np.float32)
    alpha = np.array([[[1.0], [1.0]], [[2.0], [np.inf]]], np.float32)
    image = Image(np.concatenate([colour, alpha], axis=-1), "YXS", metadata=Metadata(premultiplied=True))
    result = FILTERS[name](image).pixels
    assert (result[..., :3] == result[0, 0, :3]).all()
    assert (result[..., 3:] == alpha).all()
