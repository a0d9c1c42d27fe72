"""Plans: tiles and overlaps follow from the package, and unusable models are refused."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import pytest

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError, UnrecognisedModelError
from imgpool.core.model import Model, ModelAxis, Size, SizeReference, Tensor
from imgpool.models.plan import describe_model, plan_model

PATH = "/models/m.zip"
ANY_SIDE = Size(16, 16)


def same_as(letter, **relation):
    return SizeReference("x", letter, **relation)


def tensor(name, letters="BCYX", **axes):
    """A tensor with the axes given as keywords; by default, sides have any length that is a multiple of 16."""
    sizes = {"B": ModelAxis("B", Size(1, 1)), "C": ModelAxis("C", Size(1))}
    return Tensor(
        name, tuple(axes.get(letter) or sizes.get(letter) or ModelAxis(letter, ANY_SIDE) for letter in letters)
    )


def output_tensor(letters="BCYX", halo=0, **relation):
    axes = {letter: ModelAxis(letter, same_as(letter, **relation), halo) for letter in letters if letter in "TZYX"}
    return tensor("y", letters, **axes)


def plan(inputs, outputs, model_format="bioimage.io 0.5.4", **request):
    return plan_model(Model(PATH, "m", model_format, "onnx", "w", "0", "0", inputs, outputs), **request)


def tiling_of_y(input_, output, **request):
    return plan((input_,), (output,), **request).tilings["Y"]


def test_lengths_and_halo_are_those_of_the_package():
    tiling = tiling_of_y(tensor("x"), output_tensor(halo=20))
    assert (tiling.minimum, tiling.step, tiling.max_tile, tiling.overlap) == (16, 16, 512, 20)
    fixed = ModelAxis("Y", Size(512))
    tiling = tiling_of_y(tensor("x", Y=fixed), output_tensor(halo=32))
    assert (tiling.minimum, tiling.step, tiling.overlap, tiling.alignment) == (512, 0, 32, 32)


def test_tiles_grow_with_a_large_halo():
    assert tiling_of_y(tensor("x"), output_tensor(halo=200)).max_tile == 800


def test_volumes_have_smaller_tiles():
    tilings = plan((tensor("x", "BCZYX"),), (output_tensor("BCZYX", halo=8),)).tilings
    assert {letter: tiling.max_tile for letter, tiling in tilings.items()} == {"Z": 32, "Y": 128, "X": 128}


def test_halo_is_in_output_pixels():
    tiling = tiling_of_y(tensor("x"), output_tensor(halo=10, scale=2.0))
    assert (tiling.scale, tiling.overlap) == (2, 5)
    tiling = tiling_of_y(tensor("x"), output_tensor(halo=10, scale=0.25))
    assert (tiling.scale, tiling.overlap) == (Fraction(1, 4), 40)


def test_default_overlap_is_an_eighth_of_the_tile_up_to_32():
    assert tiling_of_y(tensor("x"), output_tensor()).overlap == 32
    assert tiling_of_y(tensor("x", Y=ModelAxis("Y", Size(64))), output_tensor()).overlap == 8


def test_default_overlap_is_0_if_the_model_omits_its_border():
    assert tiling_of_y(tensor("x"), output_tensor(offset=-40)).overlap == 0


def test_tile_and_overlap_can_be_requested():
    tiling = tiling_of_y(tensor("x"), output_tensor(halo=20), tile=64, overlap=3)
    assert (tiling.minimum, tiling.max_tile, tiling.overlap) == (64, 64, 3)


def test_lengths_yield_whole_output_pixels():
    any_length = ModelAxis("Y", Size(1, 1))
    tiling = tiling_of_y(tensor("x", Y=any_length), output_tensor(scale=0.25))
    assert (tiling.minimum, tiling.step) == (4, 4)
    tiling = tiling_of_y(tensor("x", Y=ModelAxis("Y", Size(5, 3))), output_tensor(scale=1.5))
    assert (tiling.minimum, tiling.step) == (8, 6)
    tiling = tiling_of_y(tensor("x"), output_tensor(offset=-32))
    assert (tiling.minimum, tiling.step) == (48, 16), "32 input pixels yield no output"


@pytest.mark.parametrize(("input_length", "output_length", "scale", "offset"), [
    (256, 256, 1, 0),
    (256, 512, 2, 0),
    (256, 64, Fraction(1, 4), 0),
    (572, 388, 1, -184),
])  # fmt: skip
def test_fixed_lengths_give_scale_and_offset(input_length, output_length, scale, offset):
    axes = output_tensor().axes
    fixed = replace(output_tensor(), axes=(*axes[:2], ModelAxis("Y", Size(output_length)), axes[3]))
    tiling = tiling_of_y(tensor("x", Y=ModelAxis("Y", Size(input_length))), fixed)
    assert (tiling.scale, tiling.offset) == (scale, offset)


def test_bare_onnx_file_gets_sides_of_multiples_of_32():
    any_length = {letter: ModelAxis(letter, Size(1, 1)) for letter in "YX"}
    tiling = tiling_of_y(tensor("x", **any_length), output_tensor(), model_format="ONNX")
    assert (tiling.minimum, tiling.step) == (32, 32)


@pytest.mark.parametrize(("inputs", "output", "words"), [
    ([tensor("x"), tensor("mask")], output_tensor(), "takes 2 images at once"),
    ([tensor("x", B=ModelAxis("B", Size(4)))], output_tensor(), "takes 4 images at once"),
    ([tensor("x", C=ModelAxis("C", same_as("Y")))], output_tensor(), "the length of C"),
    ([tensor("x", "BC")], tensor("y", "BC"), "without Y and X"),
    ([tensor("x")], tensor("y", "BC"), "its output 'y' has the axes BC, but its input BCYX"),
    ([tensor("x", "BCZYX")], output_tensor(), "has the axes BCYX, but its input BCZYX"),
    ([tensor("x")], output_tensor(offset=-3), "-3 longer"),
    ([tensor("x")], output_tensor(scale=0.0), "0 times"),
    ([tensor("x")], tensor("y", Y=ModelAxis("Y", Size(512)), X=ModelAxis("X", same_as("X"))), "512 long for every"),
    ([tensor("x")], tensor("y", Y=ModelAxis("Y", same_as("X")), X=ModelAxis("X", same_as("X"))), "does not depend on"),
    ([tensor("x", Y=ModelAxis("Y", Size(33)))], output_tensor(scale=0.5), "turns 33 pixels into 16.5"),
    ([tensor("x", X=ModelAxis("X", same_as("Y", scale=2.0)))], output_tensor(), "depends on Y"),
])  # fmt: skip
def test_unusable_model_is_refused_with_its_path(inputs, output, words):
    with pytest.raises(RecipeError) as refusal:
        plan(tuple(inputs), (output,))
    assert refusal.value.message.startswith(f"the model {PATH}: ")
    assert words in refusal.value.message
    assert refusal.value.hint


def install_runtime(monkeypatch, error):
    """Install a runtime that refuses every model with `error`, and whose name sorts before "onnx"."""

    def describe(_path):
        raise error

    runtime = SimpleNamespace(name="kernel", describe=describe)
    monkeypatch.setitem(RUNTIMES.__dict__, "_installed", {"kernel": SimpleNamespace(load=lambda: runtime)})


@pytest.mark.parametrize("error", [RecipeError("no kernel"), UnrecognisedModelError("no kernel")])
def test_broken_onnx_file_is_refused_by_its_runtime(monkeypatch, tmp_path, error):
    install_runtime(monkeypatch, error)
    (tmp_path / "m.onnx").write_bytes(b"weights")
    with pytest.raises(RecipeError, match="not an ONNX file, or it is damaged"):
        describe_model(str(tmp_path / "m.onnx"))


@pytest.mark.parametrize("name", ["m.kernel", "m.pt"])
def test_broken_model_of_a_plugin_is_refused_by_it(monkeypatch, tmp_path, name):
    install_runtime(monkeypatch, RecipeError("the kernel is damaged"))
    (tmp_path / name).write_bytes(b"kernel")
    with pytest.raises(RecipeError, match="the kernel is damaged"):
        describe_model(str(tmp_path / name))


def test_unknown_model_is_refused_by_the_built_in_runtime(monkeypatch, tmp_path):
    install_runtime(monkeypatch, UnrecognisedModelError("no kernel"))
    with pytest.raises(UnrecognisedModelError, match=r"no bioimageio\.yaml"):
        describe_model(str(tmp_path))
