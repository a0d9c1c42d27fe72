"""Lengths of axes, and references to models by name or path."""

import os
import pickle
import shutil

import pytest

from imgpool.core import model as model_module
from imgpool.core.model import ModelReference, Size, SizeReference, built_in_models
from imgpool.core.parameters import canonical


@pytest.mark.parametrize(
    ("size", "fitting", "others"),
    [
        (Size(512), {512}, {1, 511, 513, 1024}),
        (Size(32, 16), {32, 48, 320}, {16, 31, 33, 40}),
        (Size(1, 1), {1, 2, 17}, {0}),
    ],
)
def test_size_fits_its_lengths_only(size, fitting, others):
    assert all(map(size.fits, fitting))
    assert not any(map(size.fits, others))


@pytest.mark.parametrize("parts", [3, 7, 49, 98, 1000])
def test_relative_length_has_no_rounding_error(parts):
    assert SizeReference("x", "Y", 1 / parts).length(parts) == 1
    assert SizeReference("x", "Y", 1 / parts).length(2 * parts - 1) == 1
    assert SizeReference("x", "Y", 2.0, -6).length(parts) == 2 * parts - 6


@pytest.fixture
def built_in(tmp_path, monkeypatch):
    folder = tmp_path / "built_in"
    for name in ("denoise", "nuclei", "__pycache__", ".hidden"):
        (folder / name).mkdir(parents=True)
    (folder / "README.md").touch()
    monkeypatch.setattr(model_module, "BUILT_IN_FOLDER", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_built_in_models_are_the_folders(built_in):
    assert built_in_models() == {"denoise": str(built_in / "denoise"), "nuclei": str(built_in / "nuclei")}


def test_missing_folder_means_no_built_in_models(built_in):
    shutil.rmtree(built_in)
    assert built_in_models() == {}


def test_name_does_not_depend_on_the_working_directory(built_in, monkeypatch):
    reference = ModelReference.parse("denoise")
    assert reference.path == str(built_in / "denoise")
    monkeypatch.chdir("/")
    assert str(reference) == "denoise"
    assert ModelReference.parse(str(reference)) == reference
    assert pickle.loads(pickle.dumps(reference)) == reference


def test_path_with_a_dot_is_not_a_name(built_in, tmp_path):
    (tmp_path / "denoise").mkdir()
    assert ModelReference.parse("denoise").path == str(built_in / "denoise")
    own = ModelReference.parse("./denoise")
    assert own.path == str(tmp_path / "denoise")
    assert str(own) == str(tmp_path / "denoise")


@pytest.mark.usefixtures("built_in")
def test_recipe_stores_the_name_or_the_absolute_path(tmp_path):
    def filter_(_image, *, path: ModelReference):
        return path

    (tmp_path / "unet.onnx").touch()
    assert canonical(filter_, "model", {"path": "nuclei"}) == {"path": "nuclei"}
    assert canonical(filter_, "model", {"path": "unet.onnx"}) == {"path": os.path.join(tmp_path, "unet.onnx")}


@pytest.mark.usefixtures("built_in")
def test_unknown_name_is_refused_with_a_list_of_models():
    with pytest.raises(ValueError, match=r"there is no .*denoize \(built-in models: denoise, nuclei\)"):
        ModelReference.parse("denoize")
