"""A signature is a schema."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import RecipeError
from imgpool.core.parameters import canonical, describe, near_miss, validate
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


def test_defaults_are_filled_in_and_texts_converted():
    assert validate(blur, "blur", {"sigma": "650nm", "size": "3", "clip": "false", "levels": "2%..98%"}) == {
        "sigma": Length(0.65, "um"),
        "truncate": 4.0,
        "mode": "nearest",
        "size": 3,
        "clip": False,
        "levels": Range(2.0, 98.0, percent=True),
    }


def test_a_class_is_checked_by_its_constructor():
    assert validate(Threshold, "threshold", {"value": "2"}) == {"value": 2.0}
    with pytest.raises(RecipeError, match="threshold has no parameter 'self'"):
        validate(Threshold, "threshold", {"self": 1})


def test_canonical_values_are_plain_and_read_back_the_same():
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


def test_an_unknown_parameter_meets_its_nearest_name():
    with pytest.raises(RecipeError, match="blur has no parameter 'sigm'") as caught:
        validate(blur, "blur", {"sigma": 1, "sigm": 2})
    assert caught.value.hint == "did you mean sigma?"


def test_a_positional_parameter_cannot_be_given():
    with pytest.raises(RecipeError, match="no parameter 'image'"):
        validate(blur, "blur", {"sigma": 1, "image": 2})


def test_a_missing_parameter_is_asked_for():
    with pytest.raises(RecipeError, match="blur needs the parameter 'sigma'") as caught:
        validate(blur, "blur", {})
    assert "blur:sigma=" in caught.value.hint


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sigma": 0}, "sigma=0: must be greater than 0"),
        ({"sigma": "2m"}, "sigma=2m: '2m' is not a length"),
        ({"sigma": 1, "truncate": "9.5"}, "truncate=9.5: must be less than or equal to 9"),
        ({"sigma": 1, "truncate": "far"}, "truncate=far: must be a valid number"),
        ({"sigma": 1, "truncate": "nan"}, "truncate=nan: must be"),
        ({"sigma": 1, "mode": "mirror"}, "mode=mirror: must be 'nearest' or 'reflect'"),
        ({"sigma": 1, "size": 0}, "size=0: must be greater than or equal to 1"),
        ({"sigma": 1, "size": 2.5}, "size=2.5: must be a valid integer"),
        ({"sigma": 1, "clip": "maybe"}, "clip=maybe: must be a valid boolean"),
    ],
)
def test_what_does_not_fit_is_one_sentence_that_names_it(values, message):
    with pytest.raises(RecipeError) as caught:
        validate(blur, "blur", values)
    assert caught.value.message.startswith(f"blur: {message}")
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", float("inf"), "1e999"])
def test_a_number_has_to_be_finite(value):
    with pytest.raises(RecipeError, match="value"):
        validate(Threshold, "threshold", {"value": value})


def test_the_hint_for_an_option_of_a_format_names_a_command_that_knows_it():
    with pytest.raises(RecipeError) as caught:
        FORMATS["png"].validate({"level": 12})
    assert "imgpool filters" not in caught.value.hint
    assert "imgpool formats png" in caught.value.hint


def test_describes_every_parameter_for_the_listing():
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


def test_the_range_of_an_optional_parameter_is_described_too():
    described = {each["name"]: each for each in describe(blur)}
    assert described["size"]["range"] == "≥ 1"


def test_near_misses():
    assert near_miss("gausian", ["gaussian", "median"]) == "did you mean gaussian?"
    assert near_miss("GAUSSIAN", ["gaussian", "median"]) == "did you mean gaussian?"
    assert near_miss("xyz", ["b", "a"]) == "known: a, b"
    assert near_miss("xyz", []) == "known: none"
