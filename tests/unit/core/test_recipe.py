"""Recipes: steps, output, fingerprint."""

import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.recipe import Output, Recipe, Step, built_in_recipes, format_name, parse_pixel_size
from imgpool.core.spec import parse_spec
from tests.support.examples import example_steps


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
def test_a_step_is_the_same_however_it_is_written(data):
    assert Step.parse(data) == Step("gaussian", {"sigma": "2px", "truncate": 4.0})


@pytest.mark.parametrize("data", ["median", {"median": None}, {"median": {}}])
def test_a_step_without_parameters_has_the_defaults(data):
    assert Step.parse(data) == Step("median", {"size": None, "radius": None})


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (None, "is no step"),
        (5, "is no step"),
        ({}, "is no step"),
        (["gaussian"], "is no step"),
        ({"gaussian": {"sigma": 2}, "median": {}}, "is no step"),
        ({"gaussian": 2}, "gaussian: 2 are no parameters"),
        ({"gaussian": [2]}, "are no parameters"),
        ("gausian", "no filter is called 'gausian'"),
        ({"gaussian": {"sigm": 2}}, "no parameter 'sigm'"),
        ({"gaussian": {1: 2}}, "gaussian: .*1"),
        ({"gaussian": {"sigma": -1}}, "must be greater than 0"),
        ({True: None}, "no filter is called 'True'"),
    ],
)
def test_what_is_no_step(data, complaint):
    with pytest.raises(RecipeError, match=complaint) as caught:
        Step.parse(data)
    assert caught.value.hint


@pytest.mark.parametrize("filter_", list(FILTERS), ids=lambda filter_: filter_.name)
def test_every_step_can_be_written_on_the_command_line_as_it_prints(filter_):
    for example in example_steps(filter_, (12, 17)):
        step = Step.checked(example.filter, example.parameters)
        assert Step.checked(*parse_spec(str(step))) == step


def test_specs_make_a_recipe_named_after_its_filters():
    recipe = Recipe.from_specs(["gaussian:sigma=2", "median"])
    assert recipe.name == "gaussian+median"
    assert [step.filter for step in recipe.steps] == ["gaussian", "median"]


@pytest.mark.parametrize("name", built_in_recipes())
def test_every_recipe_in_the_box_is_valid_described_and_named_as_its_file(name):
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.description
    assert len(recipe.load_filters()) == len(recipe.steps)


def test_a_recipe_file_says_everything(tmp_path):
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


def test_a_recipe_file_from_a_windows_editor_is_read(tmp_path):
    recipe = load(tmp_path, "\ufeffname: µm\r\nsteps:\r\n  - median\r\n")
    assert (recipe.name, len(recipe.steps)) == ("µm", 1)


def test_a_file_without_a_name_is_called_after_its_file(tmp_path):
    assert load(tmp_path, "steps: [median]").name == "my recipe"


def test_an_empty_key_counts_as_absent(tmp_path):
    recipe = load(tmp_path, "name:\ndescription:\nsteps:\noutput:\npixel_size:\n")
    assert (recipe.name, recipe.description) == ("my recipe", "")
    assert (recipe.steps, recipe.output, recipe.pixel_size) == ((), Output(), None)


def test_a_merge_key_of_yaml_works(tmp_path):
    """`<<` is plain data too, and refusing a key twice must not refuse to fill in what is absent."""
    text = "steps:\n  - gaussian: &soft {sigma: 2, truncate: 3}\n  - gaussian: {<<: *soft, truncate: 5}\n"
    assert [str(step) for step in load(tmp_path, text).steps] == [
        "gaussian:sigma=2px,truncate=3.0",
        "gaussian:sigma=2px,truncate=5.0",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a mapping with a list of steps"),
        ("- median", "a mapping with a list of steps"),
        ("steps: median", "`steps` is a list"),
        ("steps: {median: null}", "`steps` is a list"),
        ("step: [median]", "no key 'step'"),
        ("1: 2", "no key 1"),
        ("steps: [median", "not valid YAML in line 1"),
        ("steps: []\nsteps: [median]", "in line [12]: the key 'steps' stands twice"),
        ("steps:\n  - gaussian: {sigma: 1, sigma: 2}", "in line 2: the key 'sigma' stands twice"),
        ("steps: [!!python/object/apply:os.system [true]]", "not valid YAML"),
        ("steps: []\n---\nsteps: []", "not valid YAML"),
        ("steps: []\nname: a\0b", "not valid YAML"),
        ("steps: []\noutput: 5", "names no format"),
        ("steps: []\noutput: {quality: 90}", "names no format"),
        ("steps: []\noutput: {format: pgn}", "no format is called 'pgn'"),
        ("steps: []\noutput: {format: png, quality: 90}", "png has no parameter 'quality'"),
        ("steps: []\npixel_size: 0.325", "says nothing"),
        ("steps: []\npixel_size: one", "does not begin with a number"),
        ("steps:\n  - gaussian: {sigma: .inf}", "sigma"),
        ("steps:\n  - gaussian: {sigma: .nan}", "sigma"),
        ("steps:\n  - gaussian: {truncate: .inf}", "truncate"),
    ],
)
def test_a_bad_recipe_file_is_refused_whole_and_named(tmp_path, text, complaint):
    with pytest.raises(RecipeError, match=rf"(?s)my recipe\.yaml.*{complaint}"):
        load(tmp_path, text)


def test_a_near_miss_in_a_recipe_file_keeps_its_hint(tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, "stesp: []")
    assert caught.value.hint == "did you mean steps?"


def test_a_recipe_that_cannot_be_read(tmp_path):
    with pytest.raises(RecipeError, match="No such file"):
        Recipe.load(tmp_path / "absent.yaml")
    (tmp_path / "latin1.yaml").write_bytes("name: µm".encode("latin-1"))
    with pytest.raises(RecipeError, match="not UTF-8 text"):
        Recipe.load(tmp_path / "latin1.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(tmp_path / "folder.yaml")


def test_a_misspelt_recipe_meets_its_nearest_name():
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
def test_an_output_is_a_format_with_all_its_options(text, name, options):
    assert Output.parse(text) == Output(name, options)
    assert Output.parse({"format": name, **options}) == Output(name, options)


def test_a_format_goes_by_its_extensions_too():
    assert [format_name(name) for name in ("jpg", ".JPG", "jpeg", "png", "nothing")] == [
        "jpeg",
        "jpeg",
        "jpeg",
        "png",
        "nothing",
    ]


def test_pixel_sizes():
    assert parse_pixel_size("325nm") == PixelSize(0.325, 0.325)
    for nothing in ("0.325", 0.325, "2px", "0um", "-1um", "", None, True, "1e999um"):
        with pytest.raises(RecipeError):
            parse_pixel_size(nothing)
