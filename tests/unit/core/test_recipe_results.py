"""Applying a recipe to an image, and its fingerprint."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from imgpool.core import recipe as recipe_module
from imgpool.core.errors import FilterError
from imgpool.core.image import Image, PixelSize
from imgpool.core.quantity import Length
from imgpool.core.recipe import Output, Recipe, parse_pixel_size

RAMP = np.arange(64, dtype=np.uint16).reshape(8, 8) * 100


def fingerprint(*specs, output=None, pixel_size=None):
    recipe = Recipe.from_specs(specs)
    if output:
        recipe = recipe.with_output(Output.parse(output))
    return (recipe.with_pixel_size(parse_pixel_size(pixel_size)) if pixel_size else recipe).fingerprint()


def test_fingerprint_changes_with_what_affects_results(monkeypatch):
    fingerprints = [
        fingerprint(),
        fingerprint("gaussian"),
        fingerprint("gaussian:sigma=2"),
        fingerprint("gaussian:sigma=2um"),
        fingerprint("gaussian:sigma=2,truncate=3"),
        fingerprint("gaussian:sigma=2", "median"),
        fingerprint("median", "gaussian:sigma=2"),
        fingerprint("gaussian:sigma=2", output="png"),
        fingerprint("gaussian:sigma=2", output="png:level=9"),
        fingerprint("gaussian:sigma=2", pixel_size="325nm"),
        fingerprint("gaussian:sigma=2", pixel_size="326nm"),
    ]
    monkeypatch.setattr(recipe_module, "RESULTS_VERSION", recipe_module.RESULTS_VERSION + 1)
    fingerprints.append(fingerprint("gaussian"))
    assert len(set(fingerprints)) == len(fingerprints)


def test_fingerprint_does_not_depend_on_the_notation():
    steps = [{"gaussian": {"truncate": 4, "sigma": "0.65um"}}]
    written = Recipe.parse({"name": "x", "description": "y", "steps": steps})
    assert written.fingerprint() == fingerprint("gaussian:sigma=650nm")
    assert fingerprint("gaussian", output="png") == fingerprint("gaussian", output="PNG:level=1")


def test_fingerprint_is_the_same_in_every_process():
    """Journals outlive processes, so the fingerprint must not depend on the hash seed or on an address."""
    program = "import imgpool; print(imgpool.Recipe.from_specs(['gaussian:sigma=2', 'median']).fingerprint())"
    printed = [
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, stdout=-1, check=True
        )
        for seed in ("1", "2")
    ]
    assert {process.stdout.decode().strip() for process in printed} == {fingerprint("gaussian:sigma=2", "median")}


def test_apply_returns_the_type_it_was_given():
    recipe = Recipe.from_specs(["gaussian:sigma=1"])
    pixels = RAMP.copy()
    filtered = recipe.apply(pixels)
    assert isinstance(filtered, np.ndarray)
    assert (filtered.shape, filtered.dtype) == (RAMP.shape, RAMP.dtype)
    assert np.array_equal(pixels, RAMP)
    image = recipe.apply(Image.from_array(RAMP))
    assert isinstance(image, Image)
    assert np.array_equal(image.pixels, filtered)


def test_apply_uses_the_axes_of_an_array():
    stack = np.stack([RAMP[:, :3], np.zeros_like(RAMP[:, :3])])
    recipe = Recipe.from_specs(["gaussian:sigma=2"])
    assert recipe.apply(stack, "ZYX")[1].max() == 0


def test_steps_are_applied_in_order():
    invert, threshold = "invert", "threshold:method=otsu"
    assert not np.array_equal(
        Recipe.from_specs([invert, threshold]).apply(RAMP), Recipe.from_specs([threshold]).apply(RAMP)
    )


def test_recipe_pixel_size_is_used_for_images_without_one():
    recipe = Recipe.from_specs(["gaussian:sigma=1um"]).with_pixel_size(PixelSize(0.5, 0.5))
    expected = Recipe.from_specs(["gaussian:sigma=2"]).apply(RAMP)
    assert np.array_equal(recipe.apply(RAMP), expected)
    own = Image.from_array(RAMP, pixel_size=PixelSize(1.0, 1.0))
    assert np.array_equal(recipe.apply(own).pixels, Recipe.from_specs(["gaussian:sigma=1"]).apply(RAMP))
    assert recipe.apply(own).pixel_size == PixelSize(1.0, 1.0)


def test_physical_length_without_pixel_size_fails_the_image():
    with pytest.raises(FilterError, match="needs the pixel size"):
        Recipe.from_specs(["gaussian:sigma=1um"]).apply(RAMP)


def test_output_properties_are_inferred_from_the_header():
    recipe = Recipe.from_specs(["threshold:method=otsu"]).with_pixel_size(PixelSize(0.5, 0.5))
    properties = Image.from_array(RAMP).properties
    inferred = recipe.infer_output(properties)
    assert (inferred.shape, inferred.dtype, inferred.axes) == (RAMP.shape, np.uint8, "YX")
    assert inferred.pixel_size == PixelSize(0.5, 0.5)
    assert properties.pixel_size is None


def test_parameters_are_converted_once():
    step = Recipe.from_specs(["gaussian:sigma=0.65um"]).steps[0]
    assert step.values["sigma"] == Length(0.65, "um")
    assert step.values is step.values
    copy = pickle.loads(pickle.dumps(step))
    assert (copy, copy.values) == (step, step.values)
    assert replace(step, parameters={"sigma": "2px"}).values["sigma"] == Length(2.0)
