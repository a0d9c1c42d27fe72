"""``imgpool filters|recipes|formats``: the catalogue, generated from the code."""

import json

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.recipe import Recipe, built_in_recipes

KINDS = {
    "filters": FILTERS.names(),
    "recipes": list(built_in_recipes()),
    "formats": FORMATS.names(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_catalogue_lists_every_name(imgpool, kind):
    listed = imgpool(kind)
    assert listed.code == 0
    assert all(name in listed.stdout for name in KINDS[kind])
    assert [each["name"] for each in imgpool(kind, "--json").json] == KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_catalogue_explains_one_name(imgpool, kind):
    name = KINDS[kind][0]
    assert name in imgpool(kind, name).stdout
    assert imgpool(kind, name, "--json").json["name"] == name


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_name_gets_a_suggestion(imgpool, kind):
    name = KINDS[kind][0]
    done = imgpool(kind, name + "x")
    assert done.code == 2
    assert f"did you mean {name}?" in done.stderr


def test_help_of_gaussian_has_units_and_range(imgpool):
    text = imgpool("filters", "gaussian").stdout
    assert "sigma" in text
    assert "length, above 0" in text
    assert "um" in text or "µm" in text
    parameters = {each["name"]: each for each in imgpool("filters", "gaussian", "--json").json["parameters"]}
    assert parameters["sigma"]["range"] == "> 0, ≤ 8000 px"


def test_printed_recipe_can_be_loaded(imgpool, tmp_path):
    for name in built_in_recipes():
        file = tmp_path / f"{name}.yaml"
        file.write_text(imgpool("recipes", name).stdout)
        assert Recipe.load(file).fingerprint() == Recipe.load(name).fingerprint()


def test_catalogue_prints_valid_json(imgpool):
    assert json.loads(imgpool("filters", "--json").stdout)
