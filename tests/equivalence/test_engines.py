"""The same bytes come out whatever the engine, worker count, chunk size or start method."""

import itertools
import os
from pathlib import Path

import pytest

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.recipe import Output, Recipe, built_in_recipes
from imgpool.core.step import Step
from tests.support.examples import example_parameters
from tests.support.hashes import output_hashes

SAMPLES = Path(__file__).parents[2] / "sample_images"
PLATE = (256, 256)
"""Height and width of the images in sample_images/plate, and of the files that examples of filters refer to."""
SMALL_MODEL = {"path": str(SAMPLES.parent / "tests" / "data" / "models" / "classes.zip")}
"""A small model: the built-in one, which the examples use, takes ten times as long."""


def run(output, recipe, source=SAMPLES, **settings):
    """Return the hashes of the outputs, and the status or error message of each image."""
    results = imgpool.process(source, output=output, recipe=recipe, **settings)
    outcomes = {
        os.path.relpath(result.task.source, source): result.failure.message if result.failure else result.status
        for result in results
    }
    return output_hashes(output), outcomes


def recipe_of(name):
    """Return a recipe of the filter with its first example that writes TIFF; combine_stains follows separate_stains."""
    first = [Step.create("separate_stains", {})] if name == "combine_stains" else []
    parameters = SMALL_MODEL if name == "model" else example_parameters(FILTERS[name], PLATE)[0]
    return Recipe(name, (*first, Step.create(name, parameters))).with_output(Output.parse("tiff"))


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """Return a function that runs a recipe with the serial engine, once per recipe."""
    made = {}

    def get(recipe):
        key = recipe.fingerprint()
        if key not in made:
            made[key] = run(tmp_path_factory.mktemp("serial") / "out", recipe, engine="serial")
        return made[key]

    return get


@pytest.mark.parametrize("name", FILTERS.names())
def test_every_filter_gives_the_same_bytes_in_a_pool(serial, tmp_path, name):
    recipe = recipe_of(name)
    expected = serial(recipe)
    assert expected[0]
    assert run(tmp_path / "out", recipe, workers=2) == expected


@pytest.mark.parametrize("name", [name for name in built_in_recipes() if name not in {"enhance", "denoise"}])
def test_every_recipe_gives_the_same_bytes_in_a_pool(serial, tmp_path, name):
    assert run(tmp_path / "out", Recipe.load(name), workers=2) == serial(Recipe.load(name))


def test_denoise_gives_the_same_bytes_in_a_pool(tmp_path):
    """On the plate alone, whose images are small: the network takes a second per megapixel."""
    recipe, plate = Recipe.load("denoise"), SAMPLES / "plate"
    assert run(tmp_path / "pool", recipe, plate, workers=2) == run(tmp_path / "serial", recipe, plate, engine="serial")


WORKERS, CHUNK_SIZES, START_METHODS = (1, 2, 4), (1, 7, None), ("fork", "forkserver", "spawn")
PAIRWISE = [
    (workers, chunksize, START_METHODS[(row + column) % 3])
    for row, workers in enumerate(WORKERS)
    for column, chunksize in enumerate(CHUNK_SIZES)
]
"""Nine combinations in which every pair of two settings occurs; the slow test below has all 27, for every filter."""


@pytest.mark.parametrize(("workers", "chunksize", "start_method"), PAIRWISE)
def test_engine_settings_change_no_byte(serial, tmp_path, workers, chunksize, start_method):
    recipe = Recipe.load("enhance")
    settings = {"workers": workers, "chunksize": chunksize, "start_method": start_method}
    assert run(tmp_path / "out", recipe, **settings) == serial(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILTERS.names())
def test_every_filter_gives_the_same_bytes_in_every_setting(serial, tmp_path, name):
    recipe = recipe_of(name)
    combinations = itertools.product(WORKERS, CHUNK_SIZES, START_METHODS)
    for number, (workers, chunksize, start_method) in enumerate(combinations):
        settings = {"workers": workers, "chunksize": chunksize, "start_method": start_method}
        assert run(tmp_path / str(number), recipe, **settings) == serial(recipe), settings


def test_a_second_run_gives_the_same_bytes(serial, tmp_path):
    recipe = Recipe.load("enhance")
    assert run(tmp_path / "out", recipe, engine="serial") == serial(recipe)


def test_python_interface_gives_the_pixels_of_the_command(tmp_path):
    recipe = Recipe.load("enhance").with_output(Output.parse("tiff"))
    done = list(imgpool.process(SAMPLES, output=tmp_path / "out", recipe=recipe, workers=2))
    assert done
    for result in done:
        filtered = recipe.apply(imgpool.read(result.task.source))
        written = imgpool.read(result.task.target)
        assert written.axes == filtered.axes
        assert written.pixels.dtype == filtered.pixels.dtype
        assert (written.pixels == filtered.pixels).all()
