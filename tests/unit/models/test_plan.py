"""How a model is run is worked out from what its package says, and what cannot be run is refused by name."""

from dataclasses import replace
from fractions import Fraction

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.model import Model, ModelAxis, Size, SizeOf, Tensor
from imgpool.models import plan as _model_plan
from imgpool.models.plan import make_plan


class Path:
    path = "/models/m.zip"


FREE = Size(16, 16)


def follow(letter, **rule):
    return SizeOf("x", letter, **rule)


def tensor(name, letters="BCYX", **axes):
    """A tensor of axes that may be of any length, or are given as keywords."""
    sizes = {"B": ModelAxis("B", Size(1, 1)), "C": ModelAxis("C", Size(1))}
    return Tensor(name, tuple(axes.get(letter) or sizes.get(letter) or ModelAxis(letter, FREE) for letter in letters))


def output(letters="BCYX", halo=0, **rule):
    axes = {letter: ModelAxis(letter, follow(letter, **rule), halo) for letter in letters if letter in "TZYX"}
    return tensor("y", letters, **axes)


def plan_of(monkeypatch, given, made, model_format="bioimage.io 0.5.4", **parameters):
    model = Model(Path.path, "m", model_format, "onnx", "w", "0", "0", given, made)
    monkeypatch.setattr(_model_plan, "describe", lambda _path: model)
    return make_plan({"path": Path, "output": None, "tile": None, "overlap": None, **parameters})


def along_y(monkeypatch, given, made, **more):
    return plan_of(monkeypatch, (given,), (made,), **more).along["Y"]


def test_lengths_are_those_of_the_package(monkeypatch):
    along = along_y(monkeypatch, tensor("x"), output(halo=20))
    assert (along.least, along.step, along.limit, along.overlap) == (16, 16, 512, 20)
    fixed = ModelAxis("Y", Size(512))
    along = along_y(monkeypatch, tensor("x", Y=fixed), output(halo=32))
    assert (along.least, along.step, along.overlap, along.grid) == (512, 0, 32, 32)


def test_tiles_grow_with_what_they_lose(monkeypatch):
    assert along_y(monkeypatch, tensor("x"), output(halo=200)).limit == 800


def test_volumes_go_in_smaller_tiles(monkeypatch):
    plan = plan_of(monkeypatch, (tensor("x", "BCZYX"),), (output("BCZYX", halo=8),))
    assert {letter: along.limit for letter, along in plan.along.items()} == {"Z": 32, "Y": 128, "X": 128}


def test_a_halo_counts_output_pixels(monkeypatch):
    along = along_y(monkeypatch, tensor("x"), output(halo=10, scale=2.0))
    assert (along.scale, along.overlap) == (2, 5)
    along = along_y(monkeypatch, tensor("x"), output(halo=10, scale=0.25))
    assert (along.scale, along.overlap) == (Fraction(1, 4), 40)


def test_without_a_halo_an_eighth_is_lost_or_32_pixels(monkeypatch):
    assert along_y(monkeypatch, tensor("x"), output()).overlap == 32
    assert along_y(monkeypatch, tensor("x", Y=ModelAxis("Y", Size(64))), output()).overlap == 8
    assert along_y(monkeypatch, tensor("x"), output(offset=-40)).overlap == 0, "nor is it where the output is smaller"


def test_lengths_make_whole_output_pixels(monkeypatch):
    any_length = ModelAxis("Y", Size(1, 1))
    along = along_y(monkeypatch, tensor("x", Y=any_length), output(scale=0.25))
    assert (along.least, along.step) == (4, 4)
    along = along_y(monkeypatch, tensor("x", Y=ModelAxis("Y", Size(5, 3))), output(scale=1.5))
    assert (along.least, along.step) == (8, 6)
    along = along_y(monkeypatch, tensor("x"), output(offset=-32))
    assert (along.least, along.step) == (48, 16), "of 32 nothing is left"


def test_what_a_fixed_output_is_to_a_fixed_input(monkeypatch):
    def relation(given, made):
        fixed = replace(output(), axes=(*output().axes[:2], ModelAxis("Y", Size(made)), output().axes[3]))
        along = along_y(monkeypatch, tensor("x", Y=ModelAxis("Y", Size(given))), fixed)
        return along.scale, along.offset

    assert relation(256, 256) == (1, 0)
    assert relation(256, 512) == (2, 0)
    assert relation(256, 64) == (Fraction(1, 4), 0)
    assert relation(572, 388) == (1, -184)


def test_a_file_without_a_description_is_given_multiples_of_32(monkeypatch):
    any_length = {letter: ModelAxis(letter, Size(1, 1)) for letter in "YX"}
    along = along_y(monkeypatch, tensor("x", **any_length), output(), model_format="ONNX")
    assert (along.least, along.step) == (32, 32)


@pytest.mark.parametrize(("given", "made", "words"), [
    ([tensor("x"), tensor("mask")], output(), "takes 2 images at once"),
    ([tensor("x", B=ModelAxis("B", Size(4)))], output(), "takes 4 images at once"),
    ([tensor("x", C=ModelAxis("C", follow("Y")))], output(), "the length of C"),
    ([tensor("x", "BC")], tensor("y", "BC"), "no Y and X"),
    ([tensor("x")], tensor("y", "BC"), "its output 'y' has the axes BC, its input BCYX"),
    ([tensor("x", "BCZYX")], output(), "has the axes BCYX, its input BCZYX"),
    ([tensor("x")], output(offset=-3), "-3 longer"),
    ([tensor("x")], output(scale=0.0), "0 times"),
    ([tensor("x")], tensor("y", Y=ModelAxis("Y", Size(512)), X=ModelAxis("X", follow("X"))), "512 long, whatever"),
    ([tensor("x")], tensor("y", Y=ModelAxis("Y", follow("X")), X=ModelAxis("X", follow("X"))), "does not follow"),
    ([tensor("x", Y=ModelAxis("Y", Size(33)))], output(scale=0.5), "of 33 pixels it makes 16.5"),
    ([tensor("x", X=ModelAxis("X", follow("Y", scale=2.0)))], output(), "follows from Y"),
])  # fmt: skip
def test_what_cannot_be_run_is_refused_by_name(monkeypatch, given, made, words):
    with pytest.raises(RecipeError) as refusal:
        plan_of(monkeypatch, tuple(given), (made,))
    assert refusal.value.message.startswith(f"the model {Path.path}: ")
    assert words in refusal.value.message
    assert refusal.value.hint
