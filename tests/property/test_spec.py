"""NAME:key=value,key=value, for any names and values."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe
from imgpool.core.spec import parse_spec
from imgpool.core.step import Step

NAMES = st.from_regex(r"[a-z_][a-z0-9_.]{0,12}", fullmatch=True)
VALUES = st.text(min_size=1, max_size=12).filter(lambda text: "," not in text and text == text.strip())
BLANKS = st.text(" \t", max_size=2)


@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_written_spec_is_parsed_into_its_parts(name, parameters):
    written = ",".join(f"{key}={value}" for key, value in parameters.items())
    assert parse_spec(f"{name}:{written}" if written else name) == (name, parameters)


@given(NAMES, NAMES, VALUES, BLANKS, BLANKS)
def test_blanks_are_ignored(name, key, value, before, after):
    text = f"{before}{name}{after}:{after}{key}{before}={after}{value}{before}"
    assert parse_spec(text) == (name, {key: value})


@given(st.text(st.sampled_from("ab:=, "), max_size=14))
def test_any_text_is_a_valid_spec_or_a_recipe_error(text):
    with contextlib.suppress(RecipeError):
        name, parameters = parse_spec(text)
        assert name
        assert name == name.strip()
        assert all(key and value for key, value in parameters.items())
        written = ",".join(f"{key}={value}" for key, value in parameters.items())
        assert parse_spec(f"{name}:{written}") == (name, parameters)


@given(NAMES, NAMES, VALUES, VALUES)
def test_parameter_given_twice_is_refused(name, key, first, second):
    with pytest.raises(RecipeError, match="twice"):
        parse_spec(f"{name}:{key}={first},{key}={second}")


@given(st.floats(1e-3, 1e3), st.sampled_from(["", "px", "nm", "um"]), st.floats(0.1, 10))
def test_step_is_printed_as_its_spec(sigma, unit, truncate):
    step = Step.create("gaussian", {"sigma": f"{sigma!r}{unit}", "truncate": truncate})
    assert Step.create(*parse_spec(str(step))) == step
    assert Recipe.from_specs([str(step)]).fingerprint() == Recipe("x", (step,)).fingerprint()
