"""Recipes: steps, output, recipe files."""

import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.recipe import Output, Recipe, built_in_recipes, format_name, parse_pixel_size
from imgpool.core.spec import parse_spec
from imgpool.core.step import Step
from tests.support.examples import example_parameters


def load(tmp_path, text, name="my recipe.yaml"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return Recipe.load(path)


@pytest.mark.parametrize(
    "data",
    [
        "gaussian:sigma=2",
        {"gaussian": {"sigma": 2}},
        {"gaussian": {"sigma": 2.0}},
        {"gaussian": {"sigma": "2px", "truncate": 4}},
    ],
)
def test_step_does_not_depend_on_the_notation(data):
    assert Step.parse(data) == Step("gaussian", {"sigma": "2px", "truncate": 4.0})


@pytest.mark.parametrize("data", ["median", {"median": None}, {"median": {}}])
def test_step_without_parameters_has_the_defaults(data):
    assert Step.parse(data) == Step("median", {"size": None, "radius": None})


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (None, "is not a step"),
        (5, "is not a step"),
        ({}, "is not a step"),
        (["gaussian"], "is not a step"),
        ({"gaussian": {"sigma": 2}, "median": {}}, "is not a step"),
        ({"gaussian": 2}, "the parameters of gaussian must be a mapping, not 2"),
        ({"gaussian": [2]}, "must be a mapping"),
        ("gausian", "no filter is called 'gausian'"),
        ({"gaussian": {"sigm": 2}}, "no parameter 'sigm'"),
        ({"gaussian": {1: 2}}, "gaussian: .*1"),
        ({"gaussian": {"sigma": -1}}, "must be greater than 0"),
        ({True: None}, "no filter is called 'True'"),
    ],
)
def test_invalid_step_is_refused(data, complaint):
    with pytest.raises(RecipeError, match=complaint) as caught:
        Step.parse(data)
    assert caught.value.hint


@pytest.mark.parametrize("filter_", list(FILTERS), ids=lambda filter_: filter_.name)
def test_step_text_is_a_valid_spec(filter_):
    for parameters in example_parameters(filter_, (12, 17)):
        step = Step.create(filter_.name, parameters)
        assert Step.create(*parse_spec(str(step))) == step


def test_recipe_from_specs_is_named_after_its_filters():
    recipe = Recipe.from_specs(["gaussian:sigma=2", "median"])
    assert recipe.name == "gaussian+median"
    assert [step.filter for step in recipe.steps] == ["gaussian", "median"]


@pytest.mark.parametrize("name", built_in_recipes())
def test_built_in_recipe_is_valid_and_described(name):
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.description
    assert len(recipe.load_filters()) == len(recipe.steps)


def test_recipe_file_sets_everything(tmp_path):
    recipe = load(
        tmp_path,
        """
        name: nuclei
        description: One line.
        steps:
          - gaussian: {sigma: 0.65um}
          - median
        output: {format: png, level: 3}
        pixel_size: 325nm
        """,
    )
    assert (recipe.name, recipe.description) == ("nuclei", "One line.")
    assert [str(step) for step in recipe.steps] == ["gaussian:sigma=0.65um,truncate=4.0", "median"]
    assert (recipe.output.format, recipe.output.options) == ("png", {"level": 3})
    assert recipe.pixel_size == PixelSize(0.325, 0.325)


def test_recipe_file_of_a_windows_editor_is_read(tmp_path):
    recipe = load(tmp_path, "\ufeffname: µm\r\nsteps:\r\n  - median\r\n")
    assert (recipe.name, len(recipe.steps)) == ("µm", 1)


def test_recipe_without_a_name_is_named_after_its_file(tmp_path):
    assert load(tmp_path, "steps: [median]").name == "my recipe"


def test_empty_key_counts_as_absent(tmp_path):
    recipe = load(tmp_path, "name:\ndescription:\nsteps:\noutput:\npixel_size:\n")
    assert (recipe.name, recipe.description) == ("my recipe", "")
    assert (recipe.steps, recipe.output, recipe.pixel_size) == ((), Output(), None)


def test_yaml_merge_key_is_not_a_duplicate_key(tmp_path):
    text = "steps:\n  - gaussian: &soft {sigma: 2, truncate: 3}\n  - gaussian: {<<: *soft, truncate: 5}\n"
    assert [str(step) for step in load(tmp_path, text).steps] == [
        "gaussian:sigma=2px,truncate=3.0",
        "gaussian:sigma=2px,truncate=5.0",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must be a mapping with a list of steps"),
        ("- median", "must be a mapping with a list of steps"),
        ("steps: median", "steps must be a list"),
        ("steps: {median: null}", "steps must be a list"),
        ("step: [median]", "no key 'step'"),
        ("1: 2", "no key 1"),
        ("steps: [median", "not valid YAML in line 1"),
        ("steps: []\nsteps: [median]", "in line [12]: the key 'steps' appears twice"),
        ("steps:\n  - gaussian: {sigma: 1, sigma: 2}", "in line 2: the key 'sigma' appears twice"),
        ("steps: [!!python/object/apply:os.system [true]]", "not valid YAML"),
        ("steps: []\n---\nsteps: []", "not valid YAML"),
        ("steps: []\nname: a\0b", "not valid YAML"),
        ("steps: []\noutput: 5", "does not name a format"),
        ("steps: []\noutput: {quality: 90}", "does not name a format"),
        ("steps: []\noutput: {format: pgn}", "no format is called 'pgn'"),
        ("steps: []\noutput: {format: png, quality: 90}", "png has no parameter 'quality'"),
        ("steps: []\npixel_size: 0.325", "pixel_size needs a unit"),
        ("steps: []\npixel_size: one", "pixel_size must be a length"),
        ("steps:\n  - gaussian: {sigma: .inf}", "sigma"),
        ("steps:\n  - gaussian: {sigma: .nan}", "sigma"),
        ("steps:\n  - gaussian: {truncate: .inf}", "truncate"),
    ],
)
def test_invalid_recipe_file_is_refused_and_named(tmp_path, text, complaint):
    with pytest.raises(RecipeError, match=rf"(?s)my recipe\.yaml.*{complaint}"):
        load(tmp_path, text)


def test_misspelt_key_in_a_recipe_file_keeps_its_hint(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, "stesp: []")
    assert caught.value.hint == "did you mean steps?"


def test_unreadable_recipe_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        Recipe.load(tmp_path / "absent.yaml")
    (tmp_path / "latin1.yaml").write_bytes("name: µm".encode("latin-1"))
    with pytest.raises(RecipeError, match="not UTF-8 text"):
        Recipe.load(tmp_path / "latin1.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(tmp_path / "folder.yaml")


def test_unknown_recipe_suggests_a_similar_name():
    with pytest.raises(RecipeError, match="no recipe is called 'enhanse'") as caught:
        Recipe.load("enhanse")
    assert "did you mean enhance?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("png", "png", {"level": 1}),
        ("PNG", "png", {"level": 1}),
        (".png:level=9", "png", {"level": 9}),
    ],
)
def test_output_has_all_options_of_its_format(text, name, options):
    assert Output.parse(text) == Output(name, options)
    assert Output.parse({"format": name, **options}) == Output(name, options)


def test_format_is_found_by_extension():
    assert [format_name(name) for name in ("jpg", ".JPG", "jpeg", "png", "nothing")] == [
        "jpeg",
        "jpeg",
        "jpeg",
        "png",
        "nothing",
    ]


def test_pixel_size_is_read_with_its_unit():
    assert parse_pixel_size("325nm") == PixelSize(0.325, 0.325)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.3", "`pixel_size` needs a unit (for example 0.325um)"),
        (0.325, "`pixel_size` needs a unit (for example 0.325um)"),
        ("2px", "`pixel_size` must be a physical length, not 2px (for example 0.325um)"),
        ("0um", "`pixel_size` must be greater than 0"),
        ("-1um", "`pixel_size` must be greater than 0"),
        ("", "`pixel_size` must be a length"),
        (None, "`pixel_size` must be a length"),
        (True, "`pixel_size` must be a length"),
        ("1e999um", "`pixel_size` must be a length"),
    ],
)
def test_invalid_pixel_size_is_refused(text, message):
    with pytest.raises(RecipeError) as caught:
        parse_pixel_size(text)
    assert str(caught.value).startswith(message)
