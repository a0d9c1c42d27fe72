"""The command line's notation for a filter or format: ``NAME:key=value,key=value``."""

import pytest

from imgpool.core.catalogue import FILTERS
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
def test_spec_is_split_into_name_and_parameters(text, name, parameters):
    assert parse_spec(text) == (name, parameters)


@pytest.mark.parametrize("text", ["", "  ", ":sigma=2", " :"])
def test_spec_without_a_name_is_refused(text):
    with pytest.raises(RecipeError, match="does not start with a name"):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("g:sigma=", "the parameter 'sigma' has no value", "write g:sigma=VALUE"),
        ("g:=2", "'2' has no parameter name", "write g:parameter=2"),
        ("g:2", "'2' has no parameter name", "write g:parameter=2"),
        ("g:size=3,4", "'4' has no parameter name", "write g:parameter=4"),
        ("g:sigma=2,", "has an empty parameter", "remove the extra comma"),
        ("g:,sigma=2", "has an empty parameter", "remove the extra comma"),
        ("g:sigma=2,,truncate=3", "has an empty parameter", "remove the extra comma"),
    ],
)
def test_incomplete_parameter_is_refused(text, message, hint):
    with pytest.raises(RecipeError, match=message) as caught:
        parse_spec(text)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("resize:2048", "resize takes longest, scale, ", "write resize:longest=2048"),
        ("resize:0.5", "resize takes longest, scale, ", "write resize:scale=0.5"),
        ("threshold:otsu", "threshold takes ", "write threshold:method=otsu"),
        ("gaussian:sigma", "the parameter 'sigma' has no value", "write gaussian:sigma=VALUE"),
        ("invert:2", "invert takes signed_float", "write invert:signed_float=VALUE"),
        ("auto_orient:2", "auto_orient takes no parameters", "write auto_orient"),
        ("gausian:2", "no filter is called 'gausian'", "did you mean gaussian?"),
    ],
)
def test_value_without_a_name_is_explained_with_an_example(text, message, hint):
    with pytest.raises(RecipeError, match=message) as caught:
        parse_spec(text, FILTERS.__getitem__)
    assert caught.value.hint == hint


def test_duplicate_parameter_is_refused():
    with pytest.raises(RecipeError, match="gives sigma twice"):
        parse_spec("gaussian:sigma=2, sigma = 3")
