"""The same bytes come out whatever the engine, worker count, chunk size or start method."""

import hashlib
import itertools
import os
from pathlib import Path

import pytest

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe, built_in_recipes
from tests.support.references import reference

SAMPLES = Path(__file__).parents[2] / "sample_images"
REQUIRED = {
    "crop": "crop:top=1,left=2,height=40,width=50",
    "flat_field": f"flat_field:flat={reference('flat_256.npy')}",
    "match_histograms": f"match_histograms:reference={SAMPLES / 'plate' / 'well A1.tif'}",
    "model": f"model:path={SAMPLES.parent / 'tests' / 'data' / 'models' / 'classes.zip'}",
    "resize": "resize:width=64",
    "richardson_lucy": "richardson_lucy:sigma=1.5,iterations=3",
    "rotate": "rotate:angle=10",
    "select": "select:c=1",
}


def outputs(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".imgpool" not in path.parts
    }


def run(output, recipe, **how):
    """The outputs' hashes, and each image's outcome with its message: refusals have to agree as well."""
    results = imgpool.process(SAMPLES, output=output, recipe=recipe, **how)
    outcomes = {
        os.path.relpath(result.task.source, SAMPLES): result.failure.message if result.failure else result.status
        for result in results
    }
    return outputs(output), outcomes


def specs(name):
    """The filter with its parameters, after another one where it needs what that makes."""
    first = ["separate_stains"] if name == "combine_stains" else []
    return [*first, REQUIRED.get(name, name)]


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """What the serial engine makes of each recipe, computed once."""
    made = {}

    def get(recipe):
        key = recipe.fingerprint()
        if key not in made:
            made[key] = run(tmp_path_factory.mktemp("serial") / "out", recipe, engine="serial")
        return made[key]

    return get


@pytest.mark.parametrize("name", FILTERS.names())
def test_every_filter_gives_the_same_bytes_in_a_pool(serial, tmp_path, name):
    try:
        recipe = Recipe.from_specs(specs(name))
    except RecipeError as error:  # a new filter with a required parameter has to be added above
        raise AssertionError(f"add {name} to REQUIRED: {error}") from error
    recipe = recipe.with_output(imgpool.core.recipe.Output.parse("tiff"))
    expected = serial(recipe)
    assert expected[0]
    assert run(tmp_path / "out", recipe, workers=2) == expected


@pytest.mark.parametrize("name", [name for name in built_in_recipes() if name != "enhance"])
def test_every_recipe_gives_the_same_bytes_in_a_pool(serial, tmp_path, name):
    assert run(tmp_path / "out", Recipe.load(name), workers=2) == serial(Recipe.load(name))


@pytest.mark.parametrize("start_method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("chunksize", [1, 7, None])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_engine_settings_change_no_byte(serial, tmp_path, workers, chunksize, start_method):
    recipe = Recipe.load("enhance")
    how = {"workers": workers, "chunksize": chunksize, "start_method": start_method}
    assert run(tmp_path / "out", recipe, **how) == serial(recipe)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILTERS.names())
def test_every_filter_gives_the_same_bytes_in_every_setting(serial, tmp_path, name):
    recipe = Recipe.from_specs(specs(name)).with_output(imgpool.core.recipe.Output.parse("tiff"))
    settings = itertools.product((1, 2, 4), (1, 7, None), ("fork", "forkserver", "spawn"))
    for number, (workers, chunksize, start_method) in enumerate(settings):
        how = {"workers": workers, "chunksize": chunksize, "start_method": start_method}
        assert run(tmp_path / str(number), recipe, **how) == serial(recipe), how


def test_a_second_run_gives_the_same_bytes(serial, tmp_path):
    recipe = Recipe.load("enhance")
    assert run(tmp_path / "out", recipe, engine="serial") == serial(recipe)


def test_the_python_interface_gives_the_pixels_that_the_command_writes(tmp_path):
    recipe = Recipe.load("enhance").with_output(imgpool.core.recipe.Output.parse("tiff"))
    done = list(imgpool.process(SAMPLES, output=tmp_path / "out", recipe=recipe, workers=2))
    assert done
    for result in done:
        filtered = recipe.apply(imgpool.read(result.task.source))
        written = imgpool.read(result.task.target)
        assert written.axes == filtered.axes
        assert written.pixels.dtype == filtered.pixels.dtype
        assert (written.pixels == filtered.pixels).all()
