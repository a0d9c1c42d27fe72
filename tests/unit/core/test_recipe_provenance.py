"""Files that a recipe refers to, and their part in its fingerprint."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe
from tests.support.hashes import content_hash
from tests.support.heavy_filter import installed


@pytest.fixture(autouse=True)
def _heavy_filter(monkeypatch):
    with installed(monkeypatch):
        yield


def test_file_is_identified_by_its_bytes_not_its_path(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    (tmp_path / "b").write_bytes(b"weights")
    (tmp_path / "c").write_bytes(b"weightz")
    recipes = [Recipe.from_specs(["invert", f"heavy:weights={tmp_path / name}"]) for name in "abc"]
    first, moved, changed = (recipe.fingerprint() for recipe in recipes)
    assert first == moved != changed
    without_file, with_file = recipes[0].steps
    assert (without_file.provenance, with_file.provenance) == ({}, {"weights": content_hash(b"weights")})


def test_step_knows_whether_its_filter_is_heavy():
    assert [step.heavy for step in Recipe.from_specs(["invert", "heavy"]).steps] == [False, True]


def test_unreadable_file_is_named(tmp_path):
    recipe = Recipe.from_specs([f"heavy:weights={tmp_path}"])
    with pytest.raises(RecipeError, match=f"heavy: {tmp_path} cannot be read: is a directory"):
        recipe.fingerprint()
