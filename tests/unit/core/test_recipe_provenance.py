"""What a recipe leans on beside its own text decides its results."""

import hashlib

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe
from tests.support.heavy_filter import installed


@pytest.fixture(autouse=True)
def _heavy_filter(monkeypatch):
    with installed(monkeypatch):
        yield


def test_a_file_is_known_by_its_bytes_wherever_it_lies(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    (tmp_path / "b").write_bytes(b"weights")
    (tmp_path / "c").write_bytes(b"weightz")
    recipes = [Recipe.from_specs(["invert", f"heavy:weights={tmp_path / name}"]) for name in "abc"]
    first, moved, changed = (recipe.fingerprint() for recipe in recipes)
    assert first == moved != changed
    plain, leaning = recipes[0].steps
    assert (plain.provenance, leaning.provenance) == ({}, {"weights": hashlib.sha256(b"weights").hexdigest()})


def test_what_is_heavy_is_told_by_the_step():
    assert [step.heavy for step in Recipe.from_specs(["invert", "heavy"]).steps] == [False, True]


def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path):
    recipe = Recipe.from_specs([f"heavy:weights={tmp_path}"])
    with pytest.raises(RecipeError, match=f"heavy: {tmp_path} cannot be read: Is a directory"):
        recipe.fingerprint()
