"""NAME:key=value,key=value."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.spec import parse_spec


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("label", "label", {}),
        ("label:", "label", {}),
        (" label : ", "label", {}),
        ("gaussian:sigma=2", "gaussian", {"sigma": "2"}),
        (" gaussian : sigma = 0.65 um , truncate=3 ", "gaussian", {"sigma": "0.65 um", "truncate": "3"}),
        ("crop:x=0..5", "crop", {"x": "0..5"}),
        ("model:path=/a:b/c=d", "model", {"path": "/a:b/c=d"}),
    ],
)
def test_name_and_parameters_as_texts(text, name, parameters):
    assert parse_spec(text) == (name, parameters)


@pytest.mark.parametrize("text", ["", "  ", ":sigma=2", " :"])
def test_a_name_has_to_come_first(text):
    with pytest.raises(RecipeError, match="does not begin with a name"):
        parse_spec(text)


@pytest.mark.parametrize(
    "text",
    ["g:sigma", "g:sigma=", "g:=2", "g:2", "g:sigma=2,", "g:,sigma=2", "g:sigma=2,,truncate=3", "g:size=3,4"],
)
def test_what_is_no_parameter_is_named(text):
    with pytest.raises(RecipeError, match="is no parameter") as caught:
        parse_spec(text)
    assert caught.value.hint.startswith("write g:")


def test_nothing_is_given_twice():
    with pytest.raises(RecipeError, match="gives sigma twice"):
        parse_spec("gaussian:sigma=2, sigma = 3")
