"""Packages that are damaged, forged, or ask for what imgpool does not have: one sentence, before anything starts."""

import copy
import datetime as dt
import io
import os
import pickle
import random
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import yaml

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError, WorkerError
from imgpool.models.packages import describe as _describe
from imgpool.models.packages import files as _package
from imgpool.models.packages.fields import Fields
from tests.support.onnx_files import write_onnx, write_package

ONNX = RUNTIMES["onnx"]


def refusal(path):
    """What is said of a package that has to be refused, in one line that names it."""
    with pytest.raises(RecipeError) as caught:
        ONNX.describe(str(path))
    message = caught.value.message
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 400
    return f"{message} ({caught.value.hint})"


def forged(tmp_path, change, name="package", **package):
    """A package whose description went through `change`."""
    folder = write_package(tmp_path / name, **package)
    file = folder / "bioimageio.yaml"
    description = yaml.safe_load(file.read_text())
    change(description)
    file.write_text(yaml.safe_dump(description))
    return folder


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def files_of(folder):
    return [(each.name, each.read_bytes()) for each in sorted(folder.iterdir())]


def test_weights_that_are_missing(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "weights.onnx").unlink()
    assert "it has no 'weights.onnx'" in refusal(package)


def test_weights_that_are_not_those_that_were_published(tmp_path):
    package = write_package(tmp_path / "package")
    write_onnx(package / "weights.onnx", "double")
    assert "its 'weights.onnx' is not the file that was published" in refusal(package)


@pytest.mark.parametrize("content", [b"", b"weights", b"\0" * 100], ids=["empty", "text", "zeros"])
def test_weights_that_are_no_onnx_file(tmp_path, content):
    path = tmp_path / "weights.onnx"
    path.write_bytes(content)
    assert "it is no ONNX file, or it is damaged" in refusal(path)


@pytest.mark.parametrize("name", ["weights.onnx", "weights.pt", "weights.pkl"])
def test_weights_that_are_a_pickle_are_never_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "boom"), protocol=4))
    assert "which imgpool never opens" in refusal(path)
    assert not (tmp_path / "boom").exists()


def test_a_path_with_nothing_there(tmp_path):
    assert "there is nothing of that name" in refusal(tmp_path / "model.zip")


class Bomb:
    """An object that leaves a mark where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def object_array(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb(path)], object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda path: pickle.dumps(Bomb(path)), "is no array in .npy format: it is a pickle"),
        (object_array, "holds a pickle, which is never read"),
        (lambda _: b"\x93NUMPY\x01\x00", "is damaged"),
        (lambda _: b"\x93NUMPY\x09\x00" + bytes(50), "is damaged"),
        (lambda _: b"picture", "is no array in .npy format"),
    ],
    ids=["pickle", "array of objects", "cut off", "future", "text"],
)
def test_a_test_array_that_is_none(tmp_path, content, said):
    def trust_anything(description):
        del description["inputs"][0]["test_tensor"]["sha256"]

    package = forged(tmp_path, trust_anything)
    (package / "in.npy").write_bytes(content(tmp_path / "boom"))
    model = ONNX.describe(str(package))
    with pytest.raises(RecipeError, match=said):
        ONNX.test_array(model, "in.npy")
    assert not (tmp_path / "boom").exists()


def test_a_test_array_that_only_claims_its_size(tmp_path):
    package = forged(tmp_path, lambda description: description["inputs"][0]["test_tensor"].pop("sha256"))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}\n"
    (package / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(RecipeError, match="not as long as it says"):
        ONNX.test_array(ONNX.describe(str(package)), "in.npy")


def test_a_test_array_that_is_not_the_one_that_was_published(tmp_path):
    package = write_package(tmp_path / "package")
    np.save(package / "in.npy", np.zeros((1, 1, 17, 17), np.float32))
    with pytest.raises(RecipeError, match="not the file that was published"):
        ONNX.test_array(ONNX.describe(str(package)), "in.npy")


def test_a_test_array_of_another_kind(tmp_path):
    def change(description):
        description["outputs"][0]["test_tensor"]["source"] = "out.pkl"

    assert "its test array 'out.pkl' is no .npy file" in refusal(forged(tmp_path, change))


@pytest.mark.parametrize(
    "name", ["../weights.onnx", "/etc/passwd", "..\\weights.onnx", "C:\\weights.onnx", "a/../../b"]
)
def test_weights_that_are_somewhere_else(tmp_path, name):
    def change(description):
        description["weights"]["onnx"]["source"] = name

    write_onnx(tmp_path / "weights.onnx")
    assert "leads out of the package" in refusal(forged(tmp_path, change))


def test_weights_that_are_on_the_network(tmp_path):
    def change(description):
        description["weights"]["onnx"]["source"] = "https://example.com/weights.onnx"

    assert "is on the network" in refusal(forged(tmp_path, change))


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_a_zip_that_climbs_out(tmp_path, name):
    package = write_package(tmp_path / "package")
    path = pack(tmp_path / "model.zip", [*files_of(package), (name, b"evil")])
    assert "leads out of the package" in refusal(path)


def test_a_zip_with_a_link(tmp_path):
    package = write_package(tmp_path / "package")
    link = zipfile.ZipInfo("weights.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    members = [each for each in files_of(package) if each[0] != "weights.onnx"]
    path = pack(tmp_path / "model.zip", [*members, (link, "/etc/passwd")])
    assert "its 'weights.onnx' is a link" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_one_name_for_two_files(tmp_path):
    package = write_package(tmp_path / "package")
    path = pack(tmp_path / "model.zip", [*files_of(package), ("weights.onnx", b"other")])
    assert "it holds 'weights.onnx' twice" in refusal(path)


def test_a_zip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(_package, "HARMLESS", 10 << 20)
    package = write_package(tmp_path / "package")
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files_of(package):
            archive.writestr(name, content)
        with archive.open("bomb", "w", force_zip64=True) as member:
            for _ in range(20):
                member.write(bytes(1 << 20))
    assert "it unpacks to 21.0 MB from 0.0 MB" in refusal(tmp_path / "model.zip")


def test_a_zip_that_lies_about_its_sizes(tmp_path):
    package = write_package(tmp_path / "package")
    path = pack(tmp_path / "model.zip", files_of(package))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"weights.onnx"))
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    assert "its 'weights.onnx' is damaged" in refusal(path)


def test_a_zip_of_very_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(_package, "MAX_FILES", 100)
    path = pack(tmp_path / "model.zip", [(f"{number}.txt", b"") for number in range(101)])
    assert "it holds 101 files, more than 100" in refusal(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_that_is_cut_off(tmp_path, part):
    path = write_package(tmp_path / "model.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    assert "it is a damaged zip, or a part of one" in refusal(path)


def test_a_zip_with_damaged_weights(tmp_path):
    path = write_package(tmp_path / "model.zip")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("weights.onnx").header_offset + 42
    data = bytearray(path.read_bytes())
    data[start : start + 8] = bytes(byte ^ 255 for byte in data[start : start + 8])
    path.write_bytes(data)
    assert "its 'weights.onnx' is damaged" in refusal(path)


def test_a_damaged_zip_is_read_or_refused_in_one_line(tmp_path):
    path = write_package(tmp_path / "model.zip")
    whole = path.read_bytes()
    dice = random.Random(0)
    refused = 0
    for number in range(150):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 2, 5])):
            data[dice.randrange(whole.index(b"PK\x01\x02") if number % 2 else 0, len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            ONNX.describe(str(path))
        except RecipeError:
            refusal(path)
            refused += 1
    assert refused > 50


def test_a_file_of_pytorch_which_is_a_zip_too(tmp_path):
    path = pack(tmp_path / "weights.pt", [("archive/data.pkl", b""), ("archive/version", b"3")])
    assert "it has no bioimageio.yaml" in refusal(path)


def test_a_folder_without_a_description(tmp_path):
    (tmp_path / "package").mkdir()
    write_onnx(tmp_path / "package" / "weights.onnx")
    assert "it has no bioimageio.yaml" in refusal(tmp_path / "package")


def test_two_descriptions(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "rdf.yaml").write_bytes((package / "bioimageio.yaml").read_bytes())
    assert "it has several descriptions: bioimageio.yaml, rdf.yaml" in refusal(package)
    assert ONNX.describe(str(package / "rdf.yaml")).name == "small model"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"inputs: [", "not valid YAML in line 1"),
        (b"- a\n- b\n", "the description must be a mapping"),
        (b"!!python/object/apply:os.system [true]", "not valid YAML"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"timestamp: 2024-99-99", "not valid YAML: month must be in 1..12"),
        (b"[" * 1_000, "nested too deeply"),
        (b"a: " + b"x" * 1_000_000, "is 1.0 MB long, more than 0.5 MB"),
        (b"", "its description has no format_version"),
        (b"type: dataset\nformat_version: 0.3.0", "it describes a 'dataset', no model"),
        (b"type: application\nformat_version: 0.2.4", "it describes a 'application', no model"),
        (b"type: model\nformat_version: 0.3.6", "of version '0.3.6' of the format"),
        (b"type: model\nformat_version: 0.6.0", "of version '0.6.0' of the format"),
        (b"type: model\nformat_version: [0.5]", r"its format_version must be a short text, not \[0.5\]"),
    ],
)
def test_a_description_that_is_none(tmp_path, text, said):
    package = write_package(tmp_path / "package")
    (package / "bioimageio.yaml").write_bytes(text)
    with pytest.raises(RecipeError, match=said):
        ONNX.describe(str(package))


@pytest.mark.timeout(60)
def test_a_description_that_grows_without_end_is_refused_at_once(tmp_path):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 30)]
    package = write_package(tmp_path / "package")
    for key in ("inputs", "name", "authors", "weights"):
        text = "\n".join([*lines, "type: model", "format_version: 0.5.4", f"{key}: *a29"])
        (package / "bioimageio.yaml").write_text(text)
        refusal(package)


def change_axis(**values):
    def change(description):
        description["inputs"][0]["axes"][2].update(values)

    return change


def change_step(kind, step):
    key = "preprocessing" if kind == "inputs" else "postprocessing"

    def change(description):
        description[kind][0][key] = [step]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_axis(id="depth"), "inputs[0].axes[2] is a space axis called 'depth', which imgpool cannot place"),
        (change_axis(id="x"), "inputs[0].axes are B, C, X, X; each has to stand once"),
        (change_axis(type="angle"), "inputs[0].axes[2] is of the unknown type 'angle'"),
        (change_axis(type="index"), "inputs[0].axes[2] is an index axis"),
        (change_axis(size=0), "inputs[0].axes[2].size must be a whole number of 1 or more, not 0"),
        (change_axis(size={"min": 1}), "inputs[0].axes[2].size depends on the data"),
        (change_axis(size={"min": 1, "max": 9}), "inputs[0].axes[2].size depends on the data"),
        (change_axis(size={"min": 4, "step": -1}), "inputs[0].axes[2].size.step must be a whole number of 0 or more"),
        (change_axis(size={"tensor_id": "z", "axis_id": "y"}), "is that of Y of 'z', which no input has of its own"),
        (change_axis(size={"tensor_id": "x", "axis_id": "y"}), "is that of Y of 'x', which no input has of its own"),
        (change_axis(scale=0), "inputs[0].axes[2].scale must be more than 0"),
        (change_axis(scale="wide"), "inputs[0].axes[2].scale must be a number, not 'wide'"),
        (lambda model: model["inputs"][0].update(optional=True), "its input 'x' is optional"),
        (lambda model: model["inputs"][0].update(axes=[]), "inputs[0].axes are missing"),
        (
            lambda model: model["inputs"][0]["axes"].pop(1),
            "has 4 axes in its ONNX file, and 3 (BYX) in its description",
        ),
        (lambda model: model["inputs"][0]["axes"][1].update(channel_names=["a", "b"]), "C of its 'x' is 2 long"),
        (lambda model: model.update(inputs="image"), "its inputs must be a list"),
        (lambda model: model.update(outputs=[]), "its description has no outputs"),
        (lambda model: model["inputs"].append(model["inputs"][0]), "it has two tensors called 'x'"),
        (lambda model: model["outputs"].append(model["outputs"][0] | {"id": "z"}), "2 outputs, its ONNX file 1"),
        (
            lambda model: model["inputs"][0].update(data={"type": "float128"}),
            "'float128', which is no type of a tensor",
        ),
        (lambda model: model.pop("weights"), "its weights are for nothing, none for ONNX"),
        (
            lambda model: model.update(weights={"torchscript": {}, "keras_hdf5": {}}),
            "its weights are for 'keras_hdf5', 'torchscript', none for ONNX (export it to ONNX",
        ),
        (change_step("outputs", {"id": "custom"}), "it asks for 'custom'"),
        (change_step("outputs", {"id": "stardist_postprocessing"}), "which needs the package stardist"),
        (change_step("outputs", {"id": "cellpose_flow_dynamics"}), "which needs the package cellpose"),
        (change_step("inputs", {"id": "scale_rnage"}), "'scale_rnage' (inputs[0].preprocessing[0].kwargs), which"),
        (change_step("inputs", {"id": "clip"}), "has neither min nor max"),
        (change_step("inputs", {"kwargs": {}}), "its description has no inputs[0].preprocessing[0].id"),
        (change_step("inputs", {"id": "ensure_dtype", "kwargs": {"dtype": "complex64"}}), "no type of a tensor"),
        (change_step("inputs", {"id": "binarize", "kwargs": {"threshold": "otsu"}}), "threshold must be a number"),
        (change_step("inputs", {"id": "softmax", "kwargs": {"axis": "z"}}), "must be an axis of the tensor (BCYX)"),
        (
            change_step("outputs", {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "y"}}),
            "kwargs.reference_tensor is no input: 'y' (known: x)",
        ),
    ],
)
def test_a_description_that_asks_for_what_there_is_not(tmp_path, change, said):
    assert said in refusal(forged(tmp_path, change))


def test_lengths_that_the_onnx_file_does_not_take(tmp_path):
    package = forged(tmp_path, change_axis(size={"min": 50, "step": 10}), size=32)
    assert "Y of its 'x' is 50 + n × 10 long in its description, 32 in its ONNX file" in refusal(package)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "device"])
def test_files_that_are_none(tmp_path, make):
    package = write_package(tmp_path / "package")
    (package / "weights.onnx").unlink()
    make(package / "weights.onnx")
    assert "its 'weights.onnx' is no regular file" in refusal(package)
    make(tmp_path / "model.onnx")
    assert "is no regular file" in refusal(tmp_path / "model.onnx")


def test_weights_that_change_after_they_were_described_are_not_loaded(tmp_path):
    path = write_onnx(tmp_path / "model.onnx")
    model = ONNX.describe(str(path))
    write_onnx(path, "double")
    with pytest.raises(WorkerError, match=r"has changed: its 'model\.onnx' is not the file"):
        ONNX.load(model)
    path.unlink()
    with pytest.raises(WorkerError, match="has changed: there is nothing of that name"):
        ONNX.load(model)


def test_a_graph_that_no_runtime_loads(tmp_path):
    model = ONNX.describe(str(write_onnx(tmp_path / "model.onnx", "broken")))
    with pytest.raises(WorkerError, match=r"model\.onnx does not load: No Op registered for NoSuchThing"):
        ONNX.load(model)


EARLIER = {
    "format_version": "0.4.9",
    "type": "model",
    "name": "small model",
    "inputs": [
        {
            "name": "x",
            "axes": "bcyx",
            "data_type": "float32",
            "shape": {"min": [1, 2, 8, 8], "step": [0, 0, 2, 2]},
            "preprocessing": [
                {"name": "zero_mean_unit_variance", "kwargs": {"axes": "yx", "mean": [1, 2], "std": [3, 4]}},
                {"name": "scale_range", "kwargs": {"mode": "per_sample", "axes": "yx"}},
            ],
        }
    ],
    "outputs": [
        {
            "name": "y",
            "axes": "bcyx",
            "data_type": "float32",
            "halo": [0, 0, 1, 1],
            "shape": {"reference_tensor": "x", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]},
            "postprocessing": [{"name": "scale_linear", "kwargs": {"axes": "yx", "gain": [3, 4], "offset": 1}}],
        }
    ],
    "weights": {"onnx": {"source": "weights.onnx"}},
    "test_inputs": ["in.npy"],
    "test_outputs": ["out.npy"],
}
ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    float("inf"),
    1 << 70,
    "",
    "x",
    "../x",
    "\0",
    [],
    {},
    [[]],
    {"x": []},
    b"x",
]
ODD += [dt.date(2024, 1, 1), [1, 2, 3, 4, 5], ["batch"], {1: 2}, "a" * 1000, {"min": 1, "step": 10**9}]


def spots(value):
    """Every list and mapping within, with each of its indices or keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from spots(value[key])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_whatever_stands_in_a_description_it_is_read_or_refused_in_one_line(tmp_path, version):
    steps = [{"id": "clip", "kwargs": {"min": 0, "max": 1}}, {"id": "scale_range", "kwargs": {"axes": ["y", "x"]}}]
    folder = write_package(tmp_path / "package", channels=2, preprocessing=steps, halo=1, tolerance=0.1)
    whole = EARLIER if version == "0.4" else yaml.safe_load((folder / "bioimageio.yaml").read_text())
    package = _package.Folder(str(folder))
    dice = random.Random(0)
    refused = []
    for _ in range(600):
        description = copy.deepcopy(whole)
        for _ in range(dice.choice([0, 1, 1, 1, 2])):
            inside, key = dice.choice(list(spots(description)))
            inside[key] = copy.deepcopy(dice.choice(ODD))
        try:
            _describe._packaged(str(folder), package, Fields.of(description))
        except RecipeError as error:
            refused.append(error.message)
    assert 150 < len(refused) < 450
    assert not [message for message in refused if "\n" in message or len(message) > 300]


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04"), 2, "model: it is a damaged zip"),
        (lambda path: write_onnx(path, "broken"), 3, "model does not load: No Op registered"),
    ],
    ids=["damaged", "does not load"],
)
def test_a_run_with_a_bad_model_starts_nothing(tmp_path, make, code, said):
    make(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    np.save(tmp_path / "photos" / "a.npy", np.zeros((40, 40), np.float32))
    command = ["process", str(tmp_path / "photos"), "-f", f"model:path={tmp_path / 'model'}"]
    done = subprocess.run(
        [sys.executable, "-m", "imgpool", *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("photos-processed/*.*"))
