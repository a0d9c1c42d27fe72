"""Declaration, validation and loading of filters."""

import numpy as np
import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.filter import Filter, image_filter
from imgpool.core.image import Image, Properties

IMAGE = Image.from_array(np.arange(20, dtype=np.uint8).reshape(5, 4))


@image_filter(tiles="exact")
def add(image: Image, *, amount: int = 1) -> Image:
    """Add to every pixel.

    More about it.
    """
    return image.with_pixels(image.pixels + np.uint8(amount))


def even_only(parameters):
    if parameters["amount"] % 2:
        raise RecipeError("the amount is odd", "give an even one")


def as_float(properties, _parameters):
    return Properties(properties.shape, np.dtype("float32"), properties.axes)


loaded_with = []


@image_filter(tiles="no", halo=lambda parameters, _size: parameters["amount"], infer_output=as_float, check=even_only)
class AddMany:
    """Add, with a constructor."""

    def __init__(self, *, amount: int) -> None:
        loaded_with.append(amount)
        self.amount = amount

    def __call__(self, image: Image) -> Image:
        return image.with_pixels(image.pixels + np.float32(self.amount))


def test_function_becomes_a_filter_with_its_name():
    assert isinstance(add, Filter)
    assert (add.name, add.tiles, add.summary) == ("add", "exact", "Add to every pixel")
    assert add.help == "Add to every pixel.\n\nMore about it."


def test_calling_a_filter_validates_and_filters():
    assert np.array_equal(add(IMAGE).pixels, IMAGE.pixels + 1)
    assert np.array_equal(add(IMAGE, amount="3").pixels, IMAGE.pixels + 3)
    with pytest.raises(RecipeError, match="no parameter 'amout'"):
        add(IMAGE, amout=3)


def test_loading_creates_one_instance_for_all_images():
    loaded_with.clear()
    loaded = AddMany.load({"amount": "2"})
    assert [loaded(IMAGE).pixels[0, 1] for _ in range(3)] == [3.0, 3.0, 3.0]
    assert loaded_with == [2]


def test_validation_loads_nothing():
    loaded_with.clear()
    assert AddMany.validate({"amount": "4"}) == {"amount": 4}
    assert AddMany.canonical({"amount": "4"}) == {"amount": 4}
    assert AddMany.describe()[0]["name"] == "amount"
    assert loaded_with == []


def test_contradictory_parameters_are_refused_before_loading():
    loaded_with.clear()
    for ask in (AddMany.validate, AddMany.canonical, AddMany.load):
        with pytest.raises(RecipeError, match="odd"):
            ask({"amount": 3})
    assert loaded_with == []


def test_default_declarations_are_no_halo_and_the_same_output():
    properties = IMAGE.properties
    assert add.halo({"amount": 1}, None) == 0
    assert add.infer_output(properties, {"amount": 1}) == properties
    assert AddMany.halo({"amount": 2}, None) == 2
    assert AddMany.infer_output(properties, {"amount": 2}).dtype == np.float32


def test_examples_default_to_one_set_without_parameters(tmp_path):
    assert add.example_parameters(tmp_path, (5, 4)) == [{}]


def test_examples_may_write_files_for_images_of_a_size(tmp_path):
    def examples(folder, size):
        np.save(folder / "frame.npy", np.ones(size))
        return ({"amount": 1}, {"amount": 2})

    declared = image_filter(tiles="no", examples=examples)(AddMany.function)
    assert declared.example_parameters(tmp_path, (5, 4)) == [{"amount": 1}, {"amount": 2}]
    assert np.load(tmp_path / "frame.npy").shape == (5, 4)
