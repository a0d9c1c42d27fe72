"""Packages that are damaged, unsafe or unsupported are refused with one sentence before anything starts."""

import copy
import datetime as dt
import io
import os
import pickle
import random
import stat
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import yaml

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError, WorkerError
from imgpool.models.packages import files
from imgpool.models.packages.describe import read_model
from imgpool.models.packages.fields import Fields
from tests.support.onnx_files import write_onnx, write_package

ONNX = RUNTIMES["onnx"]


def refusal(path):
    """The message for a package that must be refused: one line with its path."""
    with pytest.raises(RecipeError) as caught:
        ONNX.describe(str(path))
    message = caught.value.message
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 400
    return f"{message} ({caught.value.hint})"


def changed_package(tmp_path, change, name="package", **package):
    """A package whose description is modified by `change`."""
    folder = write_package(tmp_path / name, **package)
    file = folder / "bioimageio.yaml"
    description = yaml.safe_load(file.read_text())
    change(description)
    file.write_text(yaml.safe_dump(description))
    return folder


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def files_of(folder):
    return [(each.name, each.read_bytes()) for each in sorted(folder.iterdir())]


def test_missing_weights_are_refused(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "weights.onnx").unlink()
    assert "it has no 'weights.onnx'" in refusal(package)


def test_weights_with_another_hash_are_refused(tmp_path):
    package = write_package(tmp_path / "package")
    write_onnx(package / "weights.onnx", "double")
    assert "its 'weights.onnx' is not the published file" in refusal(package)


@pytest.mark.parametrize("content", [b"", b"weights", b"\0" * 100], ids=["empty", "text", "zeros"])
def test_weights_that_are_not_onnx_are_refused(tmp_path, content):
    path = tmp_path / "weights.onnx"
    path.write_bytes(content)
    assert "it is not an ONNX file, or it is damaged" in refusal(path)


@pytest.mark.parametrize("name", ["weights.onnx", "weights.pt", "weights.pkl"])
def test_pickled_weights_are_never_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "boom"), protocol=4))
    assert "which imgpool never opens" in refusal(path)
    assert not (tmp_path / "boom").exists()


def test_missing_path_is_refused(tmp_path):
    assert "there is no such file or folder" in refusal(tmp_path / "model.zip")


class Bomb:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def object_array(path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb(path)], object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda path: pickle.dumps(Bomb(path)), "is not an array in .npy format: it is a pickle"),
        (object_array, "contains a pickle, which imgpool never reads"),
        (lambda _: b"\x93NUMPY\x01\x00", "is damaged"),
        (lambda _: b"\x93NUMPY\x09\x00" + bytes(50), "is damaged"),
        (lambda _: b"picture", "is not an array in .npy format"),
    ],
    ids=["pickle", "array of objects", "truncated", "future version", "text"],
)
def test_unreadable_test_array_is_refused(tmp_path, content, message):
    def remove_hash(description):
        del description["inputs"][0]["test_tensor"]["sha256"]

    package = changed_package(tmp_path, remove_hash)
    (package / "in.npy").write_bytes(content(tmp_path / "boom"))
    model = ONNX.describe(str(package))
    with pytest.raises(RecipeError, match=message):
        ONNX.test_array(model, "in.npy")
    assert not (tmp_path / "boom").exists()


def test_test_array_with_a_false_size_is_refused(tmp_path):
    package = changed_package(tmp_path, lambda description: description["inputs"][0]["test_tensor"].pop("sha256"))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}\n"
    (package / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(RecipeError, match="its length does not match its header"):
        ONNX.test_array(ONNX.describe(str(package)), "in.npy")


def test_test_array_with_another_hash_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    np.save(package / "in.npy", np.zeros((1, 1, 17, 17), np.float32))
    with pytest.raises(RecipeError, match="is not the published file"):
        ONNX.test_array(ONNX.describe(str(package)), "in.npy")


def test_test_array_in_another_format_is_refused(tmp_path):
    def change(description):
        description["outputs"][0]["test_tensor"]["source"] = "out.pkl"

    assert "its test array 'out.pkl' is not a .npy file" in refusal(changed_package(tmp_path, change))


@pytest.mark.parametrize(
    "name", ["../weights.onnx", "/etc/passwd", "..\\weights.onnx", "C:\\weights.onnx", "a/../../b"]
)
def test_weights_outside_the_package_are_refused(tmp_path, name):
    def change(description):
        description["weights"]["onnx"]["source"] = name

    write_onnx(tmp_path / "weights.onnx")
    assert "leads out of the package" in refusal(changed_package(tmp_path, change))


def test_weights_on_the_network_are_refused(tmp_path):
    def change(description):
        description["weights"]["onnx"]["source"] = "https://example.com/weights.onnx"

    assert "is on the network" in refusal(changed_package(tmp_path, change))


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "C:/evil.txt", "..\\evil.txt"])
def test_zip_with_paths_that_lead_out_is_refused(tmp_path, name):
    package = write_package(tmp_path / "package")
    path = write_zip(tmp_path / "model.zip", [*files_of(package), (name, b"evil")])
    assert "leads out of the package" in refusal(path)


def test_zip_with_a_link_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    link = zipfile.ZipInfo("weights.onnx")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    members = [each for each in files_of(package) if each[0] != "weights.onnx"]
    path = write_zip(tmp_path / "model.zip", [*members, (link, "/etc/passwd")])
    assert "its 'weights.onnx' is a link" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip_with_a_duplicate_name_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    path = write_zip(tmp_path / "model.zip", [*files_of(package), ("weights.onnx", b"other")])
    assert "it has 'weights.onnx' twice" in refusal(path)


def test_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MIN_ZIP_BOMB_BYTES", 10 << 20)
    package = write_package(tmp_path / "package")
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files_of(package):
            archive.writestr(name, content)
        with archive.open("bomb", "w", force_zip64=True) as member:
            for _ in range(20):
                member.write(bytes(1 << 20))
    assert "it unpacks from 0.0 MB to 21.0 MB" in refusal(tmp_path / "model.zip")


def test_zip_with_false_sizes_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    path = write_zip(tmp_path / "model.zip", files_of(package))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"weights.onnx"))
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    assert "its 'weights.onnx' is damaged" in refusal(path)


def test_zip_with_too_many_files_is_refused(tmp_path):
    path = write_zip(tmp_path / "model.zip", [(f"{number}.txt", b"") for number in range(10_001)])
    assert "it has 10,001 files, more than 10,000" in refusal(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated_zip_is_refused(tmp_path, part):
    path = write_package(tmp_path / "model.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    assert "the zip is damaged or incomplete" in refusal(path)


def test_zip_with_damaged_weights_is_refused(tmp_path):
    path = write_package(tmp_path / "model.zip")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("weights.onnx").header_offset + 42
    data = bytearray(path.read_bytes())
    data[start : start + 8] = bytes(byte ^ 255 for byte in data[start : start + 8])
    path.write_bytes(data)
    assert "its 'weights.onnx' is damaged" in refusal(path)


def test_damaged_zip_is_read_or_refused_in_one_line(tmp_path):
    path = write_package(tmp_path / "model.zip")
    whole = path.read_bytes()
    rng = random.Random(0)
    refused = 0
    for number in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            data[rng.randrange(whole.index(b"PK\x01\x02") if number % 2 else 0, len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            ONNX.describe(str(path))
        except RecipeError:
            refusal(path)
            refused += 1
    assert refused > 50


def test_pytorch_file_is_refused(tmp_path):
    path = write_zip(tmp_path / "weights.pt", [("archive/data.pkl", b""), ("archive/version", b"3")])
    assert "it has no bioimageio.yaml" in refusal(path)


def test_folder_without_a_description_is_refused(tmp_path):
    (tmp_path / "package").mkdir()
    write_onnx(tmp_path / "package" / "weights.onnx")
    assert "it has no bioimageio.yaml" in refusal(tmp_path / "package")


def test_package_with_two_descriptions_is_refused(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "rdf.yaml").write_bytes((package / "bioimageio.yaml").read_bytes())
    assert "it has several descriptions: bioimageio.yaml, rdf.yaml" in refusal(package)
    assert ONNX.describe(str(package / "rdf.yaml")).name == "small model"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"inputs: [", "not valid YAML in line 1"),
        (b"- a\n- b\n", "the description must be a mapping"),
        (b"!!python/object/apply:os.system [true]", "not valid YAML"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"timestamp: 2024-99-99", "not valid YAML: month must be in 1..12"),
        (b"[" * 1_000, "nested more than 50 levels deep"),
        (b"a: " + b"x" * 1_000_000, "has 1.0 MB, more than 0.5 MB"),
        (b"", "its description has no format_version"),
        (b"type: dataset\nformat_version: 0.3.0", "it describes a 'dataset', not a model"),
        (b"type: application\nformat_version: 0.2.4", "it describes a 'application', not a model"),
        (b"type: model\nformat_version: 0.3.6", "has the format version '0.3.6'"),
        (b"type: model\nformat_version: 0.6.0", "has the format version '0.6.0'"),
        (b"type: model\nformat_version: [0.5]", r"its format_version must be a short text, not \[0.5\]"),
    ],
)
def test_unreadable_description_is_refused(tmp_path, text, message):
    package = write_package(tmp_path / "package")
    (package / "bioimageio.yaml").write_bytes(text)
    with pytest.raises(RecipeError, match=message):
        ONNX.describe(str(package))


@pytest.mark.timeout(60)
def test_exponentially_growing_description_is_refused(tmp_path):
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
    ("change", "message"),
    [
        (change_axis(id="depth"), "inputs[0].axes[2] is a space axis called 'depth', which imgpool does not know"),
        (change_axis(id="x"), "inputs[0].axes are B, C, X, X: each axis must appear once"),
        (change_axis(type="angle"), "inputs[0].axes[2] is of the unknown type 'angle'"),
        (change_axis(type="index"), "inputs[0].axes[2] is an index axis"),
        (change_axis(size=0), "inputs[0].axes[2].size must be an integer of 1 or more, not 0"),
        (change_axis(size={"min": 1}), "inputs[0].axes[2].size depends on the data"),
        (change_axis(size={"min": 1, "max": 9}), "inputs[0].axes[2].size depends on the data"),
        (change_axis(size={"min": 4, "step": -1}), "inputs[0].axes[2].size.step must be an integer of 0 or more"),
        (
            change_axis(size={"tensor_id": "z", "axis_id": "y"}),
            "depends on Y of 'z', which is not an input axis",
        ),
        (
            change_axis(size={"tensor_id": "x", "axis_id": "y"}),
            "depends on Y of 'x', which is not an input axis",
        ),
        (change_axis(scale=0), "inputs[0].axes[2].scale must be more than 0"),
        (change_axis(scale="wide"), "inputs[0].axes[2].scale must be a number, not 'wide'"),
        (lambda model: model["inputs"][0].update(optional=True), "its input 'x' is optional"),
        (lambda model: model["inputs"][0].update(axes=[]), "inputs[0].axes are missing"),
        (
            lambda model: model["inputs"][0]["axes"].pop(1),
            "has 4 axes in its ONNX file, but 3 (BYX) in its description",
        ),
        (lambda model: model["inputs"][0]["axes"][1].update(channel_names=["a", "b"]), "C of its 'x' is 2 long"),
        (lambda model: model.update(inputs="image"), "its inputs must be a list"),
        (lambda model: model.update(outputs=[]), "its description has no outputs"),
        (lambda model: model["inputs"].append(model["inputs"][0]), "it has two tensors called 'x'"),
        (lambda model: model["outputs"].append(model["outputs"][0] | {"id": "z"}), "2 outputs, its ONNX file 1"),
        (
            lambda model: model["inputs"][0].update(data={"type": "float128"}),
            "'float128', which is not a dtype of tensors",
        ),
        (lambda model: model.pop("weights"), "it has no weights"),
        (
            lambda model: model.update(weights={"torchscript": {}, "keras_hdf5": {}}),
            "it has no ONNX weights, only 'keras_hdf5', 'torchscript' (export the model to ONNX",
        ),
        (change_step("outputs", {"id": "custom"}), "asks for 'custom', which needs code that comes with the model"),
        (change_step("outputs", {"id": "stardist_postprocessing"}), "which needs the package stardist"),
        (change_step("outputs", {"id": "cellpose_flow_dynamics"}), "which needs the package cellpose"),
        (
            change_step("inputs", {"id": "scale_rnage"}),
            "inputs[0].preprocessing[0].kwargs asks for 'scale_rnage', which",
        ),
        (change_step("inputs", {"id": "clip"}), "has neither min nor max"),
        (change_step("inputs", {"kwargs": {}}), "its description has no inputs[0].preprocessing[0].id"),
        (change_step("inputs", {"id": "ensure_dtype", "kwargs": {"dtype": "complex64"}}), "not a dtype of tensors"),
        (change_step("inputs", {"id": "binarize", "kwargs": {"threshold": "otsu"}}), "threshold must be a number"),
        (change_step("inputs", {"id": "softmax", "kwargs": {"axis": "z"}}), "must be an axis of the tensor (BCYX)"),
        (
            change_step("outputs", {"id": "scale_mean_variance", "kwargs": {"reference_tensor": "y"}}),
            "kwargs.reference_tensor is 'y', which is not an input (known: x)",
        ),
    ],
)
def test_unsupported_description_is_refused(tmp_path, change, message):
    assert message in refusal(changed_package(tmp_path, change))


def test_lengths_that_the_graph_does_not_take_are_refused(tmp_path):
    package = changed_package(tmp_path, change_axis(size={"min": 50, "step": 10}), size=32)
    assert "Y of its 'x' is 50 + n × 10 long in its description, but 32 in its ONNX file" in refusal(package)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "device"])
def test_pipes_and_devices_are_refused(tmp_path, make):
    package = write_package(tmp_path / "package")
    (package / "weights.onnx").unlink()
    make(package / "weights.onnx")
    assert "its 'weights.onnx' is not a regular file" in refusal(package)
    make(tmp_path / "model.onnx")
    assert "is not a regular file" in refusal(tmp_path / "model.onnx")


def test_weights_that_have_changed_are_not_loaded(tmp_path):
    path = write_onnx(tmp_path / "model.onnx")
    model = ONNX.describe(str(path))
    write_onnx(path, "double")
    with pytest.raises(WorkerError, match=r"has changed: its 'model\.onnx' is not the published file"):
        ONNX.load(model)
    path.unlink()
    with pytest.raises(WorkerError, match="has changed: there is no such file or folder"):
        ONNX.load(model)


def test_graph_that_does_not_load_is_reported(tmp_path):
    model = ONNX.describe(str(write_onnx(tmp_path / "model.onnx", "broken")))
    with pytest.raises(WorkerError, match=r"model\.onnx does not load: No Op registered for NoSuchThing"):
        ONNX.load(model)


VERSION_0_4 = {
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
ODD_VALUES = [
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
ODD_VALUES += [dt.date(2024, 1, 1), [1, 2, 3, 4, 5], ["batch"], {1: 2}, "a" * 1000, {"min": 1, "step": 10**9}]


def positions(value):
    """Each list or mapping in a value, with each of its indices or keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from positions(value[key])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_random_description_is_read_or_refused_in_one_line(tmp_path, version):
    steps = [{"id": "clip", "kwargs": {"min": 0, "max": 1}}, {"id": "scale_range", "kwargs": {"axes": ["y", "x"]}}]
    folder = write_package(tmp_path / "package", channels=2, preprocessing=steps, halo=1, tolerance=0.1)
    whole = VERSION_0_4 if version == "0.4" else yaml.safe_load((folder / "bioimageio.yaml").read_text())
    package = files.FolderPackage(str(folder))
    rng = random.Random(0)
    refused = []
    for _ in range(600):
        description = copy.deepcopy(whole)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            inside, key = rng.choice(list(positions(description)))
            inside[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        try:
            read_model(str(folder), package, Fields.of(description))
        except RecipeError as error:
            refused.append(error.message)
    assert 150 < len(refused) < 450
    assert not [message for message in refused if "\n" in message or len(message) > 300]


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04"), 2, "model: the zip is damaged"),
        (lambda path: write_onnx(path, "broken"), 3, "model does not load: No Op registered"),
    ],
    ids=["damaged", "does not load"],
)
def test_run_with_a_bad_model_writes_nothing(tmp_path, make, code, message):
    make(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    np.save(tmp_path / "photos" / "a.npy", np.zeros((40, 40), np.float32))
    command = ["process", str(tmp_path / "photos"), "-f", f"model:path={tmp_path / 'model'}"]
    done = subprocess.run(
        [sys.executable, "-m", "imgpool", *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("photos-processed/*.*"))


def test_reading_a_package_reserves_no_more_than_its_files(tmp_path):
    """Reading up to the limit would reserve 16 GiB, and fail where there is less."""
    package = write_package(tmp_path / "package")
    tracemalloc.start()
    try:
        ONNX.describe(str(package))
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
