"""The catalogue as text and as JSON."""

import json

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe, built_in_recipes
from imgpool.report.listing import LISTINGS

NAMES = {"filters": FILTERS.names(), "formats": FORMATS.names(), "recipes": list(built_in_recipes())}
EACH = [(kind, name) for kind, names in NAMES.items() for name in names]


def test_each_kind_has_a_listing():
    assert LISTINGS.keys() == NAMES.keys()


@pytest.mark.parametrize("columns", ["60", "80", "300"])
@pytest.mark.parametrize("kind", NAMES)
def test_every_entry_is_listed_without_truncation(kind, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    text = LISTINGS[kind].all_text()
    beginnings = [line.split(" ")[0] for line in text.splitlines()]
    assert [word for word in beginnings if word in NAMES[kind]] == NAMES[kind]
    assert "…" not in text
    assert f"`imgpool {kind} NAME`" in text


@pytest.mark.parametrize("kind", NAMES)
def test_lines_have_no_trailing_blanks(kind):
    assert not any(line.endswith(" ") for line in LISTINGS[kind].all_text().splitlines())


@pytest.mark.parametrize("kind", ["filters", "formats"])
def test_tables_contain_no_names_of_classes(kind):
    tables = [LISTINGS[kind].one_text(name) for name in NAMES[kind]]
    rows = [line for table in tables for line in table.splitlines() if {"default", "optional"} & {*line.split()}]
    words = {word for row in rows for word in row.split()}
    assert not words & {"Area", "Indices", "Length", "ModelReference", "Range", "Reference", "None", "int", "str"}
    assert "model name or path" in LISTINGS["filters"].one_text("model")


@pytest.mark.parametrize(
    ("kind", "name", "row"),
    [
        ("formats", "png", "level integer from 0 to 9 default 1"),
        ("filters", "gaussian", "sigma length, above 0, at most 8000 px default 1px"),
        ("filters", "median", "size integer from 1 to 511 optional"),
        ("filters", "flat_field", "normalized true or false default false"),
        ("filters", "match_histograms", "reference file required"),
    ],
)
def test_values_and_defaults_are_described_in_words(kind, name, row):
    rows = [" ".join(line.split()) for line in LISTINGS[kind].one_text(name).splitlines()]
    assert row in rows


@pytest.mark.parametrize("kind", NAMES)
def test_json_lists_every_entry_in_full(kind):
    listed = json.loads(json.dumps(LISTINGS[kind].all_json()))
    assert [each["name"] for each in listed] == NAMES[kind]
    assert listed == [json.loads(json.dumps(LISTINGS[kind].one_json(name))) for name in NAMES[kind]]


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_an_entry_is_described(kind, name):
    text = LISTINGS[kind].one_text(name)
    assert text.startswith(("name: " if kind == "recipes" else "") + name)
    assert len(text.splitlines()) > 2


@pytest.mark.parametrize("filter_", list(FILTERS), ids=lambda filter_: filter_.name)
def test_filter_text_explains_each_parameter(filter_):
    text = LISTINGS["filters"].one_text(filter_.name)
    for parameter in filter_.describe():
        assert parameter["meaning"], f"{parameter['name']} is not explained"
        assert f"\n{parameter['name']}" in text


@pytest.mark.parametrize("format_", list(FORMATS), ids=lambda format_: format_.name)
def test_format_text_explains_each_option(format_):
    text = LISTINGS["formats"].one_text(format_.name)
    assert all(extension in text for extension in format_.extensions)
    assert format_.holds in text
    for option in format_.describe():
        assert option["meaning"], f"{option['name']} is not explained"
        assert option["name"] in text


def test_a_format_is_found_by_its_extension():
    assert LISTINGS["formats"].one_text("jpg") == LISTINGS["formats"].one_text("jpeg")


@pytest.mark.parametrize("name", built_in_recipes())
def test_a_printed_recipe_can_be_loaded(name, tmp_path):
    (tmp_path / "own.yaml").write_text(LISTINGS["recipes"].one_text(name), "utf-8")
    assert Recipe.load(tmp_path / "own.yaml").fingerprint() == Recipe.load(name).fingerprint()


def test_a_recipe_file_is_shown(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("name: own\nsteps: [gaussian]\npixel_size: 325nm\noutput: png\n", "utf-8")
    assert LISTINGS["recipes"].one_text(str(path)) == path.read_text("utf-8").rstrip()
    recipe = LISTINGS["recipes"].one_json(str(path))
    assert recipe["steps"] == [{"gaussian": {"sigma": "1px", "truncate": 4.0}}]
    assert recipe["output"] == {"format": "png", "level": 1}
    assert recipe["fingerprint"] == Recipe.load(path).fingerprint()
    assert "0.325" in json.dumps(recipe.get("pixel_size"))  # it changes the fingerprint, so it has to be shown


@pytest.mark.parametrize("kind", NAMES)
def test_an_unknown_name_is_an_error_with_a_hint(kind):
    for ask in (LISTINGS[kind].one_text, LISTINGS[kind].one_json):
        with pytest.raises(RecipeError) as caught:
            ask("nothing of this name")
        assert caught.value.hint
