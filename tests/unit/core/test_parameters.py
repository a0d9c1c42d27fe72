"""Validation of parameters against a signature."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import RecipeError
from imgpool.core.parameters import canonical, describe, suggest_name, validate
from imgpool.core.quantity import Length, Range


def blur(
    image,
    *,
    sigma: Annotated[Length, Field(gt=0)],
    truncate: Annotated[float, Field(gt=0, le=9)] = 4.0,
    mode: Literal["nearest", "reflect"] = "nearest",
    size: Annotated[int, Field(ge=1)] | None = None,
    clip: bool = True,
    levels: Range | None = None,
):
    """Blur, for these tests.

    Parameters
    ----------
    sigma
        Standard deviation,
        in pixels or µm.
    truncate, mode
        How far, and what beyond the border.
    size : int
        Odd.

    Returns
    -------
    Image
        Blurred.
    """


class Threshold:
    """A filter with a constructor."""

    def __init__(self, *, value: float = 0.5) -> None:
        self.value = value


def test_defaults_are_added_and_text_is_converted():
    assert validate(blur, "blur", {"sigma": "650nm", "size": "3", "clip": "false", "levels": "2%..98%"}) == {
        "sigma": Length(0.65, "um"),
        "truncate": 4.0,
        "mode": "nearest",
        "size": 3,
        "clip": False,
        "levels": Range(2.0, 98.0, percent=True),
    }


def test_class_is_validated_by_its_constructor():
    assert validate(Threshold, "threshold", {"value": "2"}) == {"value": 2.0}
    with pytest.raises(RecipeError, match="threshold has no parameter 'self'"):
        validate(Threshold, "threshold", {"self": 1})


def test_canonical_values_are_plain_and_stable():
    plain = canonical(blur, "blur", {"sigma": 2, "levels": (0, 255)})
    assert plain == {
        "sigma": "2px",
        "truncate": 4.0,
        "mode": "nearest",
        "size": None,
        "clip": True,
        "levels": "0.0..255.0",
    }
    assert canonical(blur, "blur", plain) == plain
    assert validate(blur, "blur", plain) == validate(blur, "blur", {"sigma": 2, "levels": (0, 255)})


def test_unknown_parameter_suggests_a_similar_name():
    with pytest.raises(RecipeError, match="blur has no parameter 'sigm'") as caught:
        validate(blur, "blur", {"sigma": 1, "sigm": 2})
    assert caught.value.hint == "did you mean sigma?"


def test_positional_parameter_is_refused():
    with pytest.raises(RecipeError, match="no parameter 'image'"):
        validate(blur, "blur", {"sigma": 1, "image": 2})


def test_missing_parameter_is_named():
    with pytest.raises(RecipeError, match="blur needs the parameter 'sigma'") as caught:
        validate(blur, "blur", {})
    assert "blur:sigma=" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sigma": 0}, "sigma must be greater than 0, not 0"),
        ({"sigma": "2m"}, "sigma must be a length in px, nm, um, mm or cm, for example 2px or 0.65um, not 2m"),
        ({"sigma": 1, "truncate": "9.5"}, "truncate must be less than or equal to 9, not 9.5"),
        ({"sigma": 1, "truncate": "far"}, "truncate must be a number, not far"),
        ({"sigma": 1, "truncate": "nan"}, "truncate must be a finite number, not nan"),
        ({"sigma": 1, "mode": "mirror"}, "mode must be 'nearest' or 'reflect', not mirror"),
        ({"sigma": 1, "size": 0}, "size must be greater than or equal to 1, not 0"),
        ({"sigma": 1, "size": 2.5}, "size must be an integer, not 2.5"),
        ({"sigma": 1, "clip": "maybe"}, "clip must be true or false, not maybe"),
    ],
)
def test_invalid_value_is_explained_in_one_sentence(values, message):
    with pytest.raises(RecipeError) as caught:
        validate(blur, "blur", values)
    assert caught.value.message == f"blur: {message}"
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", float("inf"), "1e999"])
def test_infinite_number_is_refused(value):
    with pytest.raises(RecipeError, match="value"):
        validate(Threshold, "threshold", {"value": value})


def test_hint_for_a_format_option_names_the_formats_command():
    with pytest.raises(RecipeError) as caught:
        FORMATS["png"].validate({"level": 12})
    assert "imgpool filters" not in caught.value.hint
    assert "imgpool formats png" in caught.value.hint


def test_every_parameter_is_described():
    described = {each["name"]: each for each in describe(blur)}
    assert list(described) == ["sigma", "truncate", "mode", "size", "clip", "levels"]
    assert described["sigma"] == {
        "name": "sigma",
        "type": "Length",
        "range": "> 0",
        "default": None,
        "required": True,
        "meaning": "Standard deviation, in pixels or µm.",
    }
    assert described["truncate"]["range"] == "> 0, ≤ 9"
    assert described["truncate"]["meaning"] == described["mode"]["meaning"] == "How far, and what beyond the border."
    assert described["mode"]["type"] == "nearest | reflect"
    assert described["size"]["type"] == "int | none"
    assert described["size"]["meaning"] == "Odd."
    assert described["clip"]["default"] is True
    assert described["levels"]["meaning"] == ""


def test_range_of_an_optional_parameter_is_described():
    described = {each["name"]: each for each in describe(blur)}
    assert described["size"]["range"] == "≥ 1"


def test_similar_name_is_suggested():
    assert suggest_name("gausian", ["gaussian", "median"]) == "did you mean gaussian?"
    assert suggest_name("GAUSSIAN", ["gaussian", "median"]) == "did you mean gaussian?"
    assert suggest_name("xyz", ["b", "a"]) == "known: a, b"
    assert suggest_name("xyz", []) == "known: none"
