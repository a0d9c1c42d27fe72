"""Lengths of axes, and models by name."""

import os
import pickle

import pytest

from imgpool.core import model as model_module
from imgpool.core.model import ModelReference, Size, SizeOf, built_in_models
from imgpool.core.parameters import canonical


@pytest.mark.parametrize(
    ("size", "fitting", "others"),
    [
        (Size(512), {512}, {1, 511, 513, 1024}),
        (Size(32, 16), {32, 48, 320}, {16, 31, 33, 40}),
        (Size(1, 1), {1, 2, 17}, {0}),
    ],
)
def test_a_size_knows_which_lengths_fit(size, fitting, others):
    assert all(map(size.fits, fitting))
    assert not any(map(size.fits, others))


@pytest.mark.parametrize("parts", [3, 7, 49, 98, 1000])
def test_a_length_that_follows_another_is_not_off_by_rounding(parts):
    assert SizeOf("x", "Y", 1 / parts).length(parts) == 1
    assert SizeOf("x", "Y", 1 / parts).length(2 * parts - 1) == 1
    assert SizeOf("x", "Y", 2.0, -6).length(parts) == 2 * parts - 6


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "box"
    for name in ("denoise", "nuclei", "__pycache__", ".hidden"):
        (folder / name).mkdir(parents=True)
    (folder / "README.md").touch()
    monkeypatch.setattr(model_module, "BUILT_IN", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_box_holds_the_folders_in_it(models):
    assert built_in_models() == {"denoise": str(models / "denoise"), "nuclei": str(models / "nuclei")}


def test_an_empty_box_is_no_error(models, monkeypatch):
    monkeypatch.setattr(model_module, "BUILT_IN", str(models / "nowhere"))
    assert built_in_models() == {}


def test_a_name_of_the_box_means_the_same_everywhere(models, monkeypatch):
    reference = ModelReference.parse("denoise")
    assert reference.path == str(models / "denoise")
    monkeypatch.chdir("/")
    assert str(reference) == "denoise"
    assert ModelReference.parse(str(reference)) == reference
    assert pickle.loads(pickle.dumps(reference)) == reference


def test_a_path_is_told_from_a_name(models, tmp_path):
    (tmp_path / "denoise").mkdir()
    assert ModelReference.parse("denoise").path == str(models / "denoise")
    own = ModelReference.parse("./denoise")
    assert own.path == str(tmp_path / "denoise")
    assert str(own) == str(tmp_path / "denoise")


@pytest.mark.usefixtures("models")
def test_a_recipe_stores_the_name_or_the_whole_path(tmp_path):
    def filter_(_image, *, path: ModelReference):
        return path

    (tmp_path / "unet.onnx").touch()
    assert canonical(filter_, "model", {"path": "nuclei"}) == {"path": "nuclei"}
    assert canonical(filter_, "model", {"path": "unet.onnx"}) == {"path": os.path.join(tmp_path, "unet.onnx")}


@pytest.mark.usefixtures("models")
def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"there is no .*denoize \(the box holds denoise, nuclei\)"):
        ModelReference.parse("denoize")
