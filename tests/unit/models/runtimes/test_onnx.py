"""The ONNX runtime: describes, loads and computes packages, and leaves no thread, file or connection."""

import multiprocessing
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.models.runtimes import onnx
from imgpool.system.temporary import remove_abandoned_folders
from tests.support.onnx_files import (
    expected,
    onnx_bytes,
    pb_bytes,
    pb_int,
    pb_node,
    pb_value,
    write_onnx,
    write_package,
)

ONNX = RUNTIMES["onnx"]
UNET = Path(__file__).parents[4] / "../shared/models/unet2d_nuclei_broad"
needs_unet = pytest.mark.skipif(not UNET.is_dir(), reason="the published U-Net is not available")


def test_runtime_is_in_the_catalogue():
    assert RUNTIMES.names() == ["onnx"]
    assert ONNX.version().startswith("onnxruntime ")
    assert ONNX.version().endswith(" CPUExecutionProvider")


@pytest.mark.parametrize("kind", ["identity", "box3", "valid7", "up2", "down2", "classes", "mean", "mask"])
@pytest.mark.parametrize("size", [None, 32])
def test_package_returns_its_published_output(tmp_path, kind, size):
    model = ONNX.describe(str(write_package(tmp_path / "model.zip", kind, size, channels=2, minimum=8, step=2)))
    image = ONNX.test_array(model, model.inputs[0].test_array)
    published = ONNX.test_array(model, model.outputs[0].test_array)
    found = ONNX.load(model).predict({"x": image})["y"]
    assert found.dtype == model.outputs[0].dtype == published.dtype
    np.testing.assert_allclose(found.astype(float), published, atol=1e-6)


@needs_unet
@pytest.mark.parametrize("name", ["", "v0_4_9.bioimageio.yaml", "weights.onnx"])
def test_unet_can_be_given_by_folder_description_or_weights(name):
    model = ONNX.describe(str(UNET.resolve() / name))
    image = np.load(UNET / "test_input.npy")
    image = (image - image.mean()) / (image.std() + 1e-6)
    found = ONNX.load(model).predict({model.inputs[0].name: image.astype(np.float32)})
    probability = 1 / (1 + np.exp(-found[model.outputs[0].name]))
    assert np.abs(probability - np.load(UNET / "test_output.npy")).max() < 1e-4


@needs_unet
def test_both_descriptions_of_the_unet_are_equivalent():
    later, earlier = (ONNX.describe(str(UNET.resolve() / name)) for name in ("", "v0_4_9.bioimageio.yaml"))
    assert (later.format, earlier.format) == ("bioimage.io 0.5.4", "bioimage.io 0.4.9")
    assert later.sha256 == earlier.sha256
    assert later.license == "MIT"
    assert [axis.halo for axis in later.outputs[0].axes] == [0, 0, 32, 32]
    for one, other in zip((*later.inputs, *later.outputs), (*earlier.inputs, *earlier.outputs), strict=True):
        assert [axis.size for axis in one.axes] == [axis.size for axis in other.axes]
        assert [axis.halo for axis in one.axes] == [axis.halo for axis in other.axes]
        assert (one.name, one.letters, one.operations, one.test_array) == (
            other.name,
            other.letters,
            other.operations,
            other.test_array,
        )


def test_model_has_the_facts_of_its_package(tmp_path):
    model = ONNX.describe(str(write_package(tmp_path / "small", tolerance=0.01)))
    assert (model.name, model.version, model.license, model.authors) == (
        "small model",
        "1.2",
        "BSD-3-Clause",
        ("imgpool tests",),
    )
    assert (model.format, model.runtime, model.weights, model.tolerance) == (
        "bioimage.io 0.5.4",
        "onnx",
        "weights.onnx",
        0.01,
    )


def test_bare_file_is_named_after_the_file(tmp_path):
    model = ONNX.describe(str(write_onnx(tmp_path / "my.model.onnx")))
    assert (model.name, model.format, model.tolerance) == ("my.model", "ONNX", None)


@pytest.mark.parametrize("name", ["rdf.yaml", "bioimageio.yaml", "denoiser.bioimageio.yaml"])
@pytest.mark.parametrize("top", ["", "model/"])
def test_zip_may_contain_one_folder(tmp_path, name, top):
    package = write_package(tmp_path / "package")
    (package / "bioimageio.yaml").rename(package / name)
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for file in package.iterdir():
            archive.write(file, top + file.name)
    zipped, unpacked = (ONNX.describe(str(tmp_path / each)) for each in ("model.zip", "package"))
    assert zipped.digest == unpacked.digest
    ONNX.load(zipped)


def test_zip_may_have_any_extension(tmp_path):
    write_package(tmp_path / "model.zip").rename(tmp_path / "model.bioimage")
    assert ONNX.describe(str(tmp_path / "model.bioimage")).name == "small model"


def edit_description(package, change):
    file = package / "bioimageio.yaml"
    description = yaml.safe_load(file.read_text())
    change(description)
    file.write_text(yaml.safe_dump(description))


def test_digest_covers_what_can_change_a_result(tmp_path):
    package = write_package(tmp_path / "package")
    first = ONNX.describe(str(package)).digest
    edit_description(package, lambda model: model.update(name="another", license="MIT", version="2"))
    edit_description(package, lambda model: model["inputs"][0].pop("test_tensor"))
    second = ONNX.describe(str(package))
    assert (second.name, second.digest) == ("another", first)
    assert ONNX.describe(str(write_package(tmp_path / "elsewhere"))).digest == first
    edit_description(package, lambda model: model["inputs"][0].update(preprocessing=[{"id": "sigmoid"}]))
    third = ONNX.describe(str(package)).digest
    edit_description(package, lambda model: model["weights"]["onnx"].pop("sha256"))
    write_onnx(package / "weights.onnx", "double")
    fourth = ONNX.describe(str(package)).digest
    write_onnx(package / "weights.onnx", "double", scale=2.0)
    assert len({first, third, fourth, ONNX.describe(str(package)).digest}) == 4


def test_package_is_read_again_only_if_it_changes(tmp_path):
    package = write_package(tmp_path / "package")
    model = ONNX.describe(str(package))
    assert ONNX.describe(str(package)) is model
    (package / "weights.onnx").touch()
    again = ONNX.describe(str(package))
    assert again is not model
    assert again == model


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((1, 1, 32, 32)), "not float64"),
        (
            np.zeros((1, 32, 32), np.float32),
            r"takes float32 \(B 1, C 1, Y 32, X 32\) as 'x', not float32 \(1, 32, 32\)",
        ),
        (np.zeros((1, 1, 32, 33), np.float32), r"not float32 \(1, 1, 32, 33\)"),
    ],
)
def test_unfit_array_fails_and_message_has_both_shapes(tmp_path, image, message):
    session = ONNX.load(ONNX.describe(str(write_onnx(tmp_path / "model.onnx", size=32))))
    with pytest.raises(FilterError, match=message):
        session.predict({"x": image})


def test_missing_input_fails(tmp_path):
    session = ONNX.load(ONNX.describe(str(write_onnx(tmp_path / "model.onnx"))))
    with pytest.raises(FilterError, match="needs an input 'x'"):
        session.predict({})


def test_output_of_undeclared_length_fails(tmp_path):
    session = ONNX.load(ONNX.describe(str(write_onnx(tmp_path / "model.onnx", "up2"))))
    with pytest.raises(FilterError, match=r"returns 'y' with the shape \(1, 1, 16, 16\), unlike its description"):
        session.predict({"x": np.zeros((1, 1, 8, 8), np.float32)})


def test_input_may_have_any_memory_layout(tmp_path):
    session = ONNX.load(ONNX.describe(str(write_onnx(tmp_path / "model.onnx", "box3"))))
    image = np.random.default_rng(0).random((8, 9, 1, 1), np.float32).T[..., ::-1]
    np.testing.assert_allclose(session.predict({"x": image})["y"], expected("box3", image), atol=1e-6)


def external_model(location="weights.data"):
    """A model that adds four numbers from an external file to its input."""
    entry = pb_bytes(1, "location") + pb_bytes(2, location)
    weights = pb_int(1, 4) + pb_int(2, 1) + pb_bytes(8, "w") + pb_bytes(13, entry) + pb_int(14, 1)
    graph = pb_bytes(1, pb_node("Add", ["x", "w"])) + pb_bytes(2, "small") + pb_bytes(5, weights)
    graph += pb_bytes(11, pb_value("x", "float32", ["h", 4])) + pb_bytes(12, pb_value("y", "float32", ["h", 4]))
    return pb_int(1, 8) + pb_bytes(7, graph) + pb_bytes(8, pb_int(2, 17))


@pytest.mark.parametrize("location", ["weights.data", "./weights.data", "more/weights.data"])
def test_external_weights_of_a_bare_file_are_read(tmp_path, location):
    path = tmp_path / "weights" / "model.onnx"
    file = tmp_path / "weights" / location
    file.parent.mkdir(parents=True)
    path.write_bytes(external_model(location))
    file.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    found = ONNX.load(ONNX.describe(str(path))).predict({"x": np.ones((3, 4), np.float32)})["y"]
    assert found.tolist() == [[1, 2, 3, 4]] * 3


@pytest.mark.parametrize("zipped", [False, True])
def test_external_weights_of_a_package_are_read(tmp_path, zipped):
    package = write_package(tmp_path / "package", axes="YX", test_length=4, weights=external_model())
    (package / "weights.data").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = package
    if zipped:
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in package.iterdir():
                archive.write(file, file.name)
    model = ONNX.describe(str(path))
    assert [name for name, _ in model.external] == ["weights.data"]
    found = ONNX.load(model).predict({"x": np.ones((3, 4), np.float32)})["y"]
    assert found.tolist() == [[1, 2, 3, 4]] * 3


def test_external_weights_are_hashed_and_checked(tmp_path):
    path, data = tmp_path / "model.onnx", tmp_path / "weights.data"
    path.write_bytes(external_model())
    with pytest.raises(RecipeError, match=r"it has no 'weights\.data'"):
        ONNX.describe(str(path))
    data.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    first = ONNX.describe(str(path))
    data.write_bytes(np.ones(4, dtype=np.float32).tobytes())
    assert ONNX.describe(str(path)).digest != first.digest
    with pytest.raises(WorkerError, match=r"has changed: its 'weights\.data' is not the published file"):
        ONNX.load(first)


@pytest.mark.parametrize("location", ["../weights.data", "/etc/passwd"])
def test_external_weights_outside_the_folder_are_refused(tmp_path, location):
    (tmp_path / "weights.data").write_bytes(bytes(16))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "model.onnx").write_bytes(external_model(location))
    with pytest.raises(RecipeError, match="leads out of the package"):
        ONNX.describe(str(tmp_path / "package" / "model.onnx"))


def test_damaged_name_in_the_graph_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(onnx_bytes().replace(b"nY", b"\xff\xfe"))
    with pytest.raises(RecipeError, match="it is not an ONNX file, or it is damaged"):
        ONNX.describe(str(tmp_path / "model.onnx"))


PREDICT_AND_PRINT_RESOURCES = """
import os, sys, threading
import psutil
from imgpool.core.catalogue import RUNTIMES
onnx = RUNTIMES["onnx"]
onnx.version()
model = onnx.describe(sys.argv[1])
assert "onnxruntime" not in sys.modules, "describe must not load the library"
import numpy as np
me = psutil.Process()
before = me.num_threads()
session = onnx.load(model)
session.predict({"x": np.zeros((1, 1, 32, 32), np.float32)})
assert "onnxruntime" in sys.modules
print(me.num_threads() - before, threading.active_count(), len(me.net_connections()))
print([file.path for file in me.open_files()])
"""


def run(tmp_path, code, *arguments, **environment):
    home = tmp_path / "home"
    home.mkdir()
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    folders = {"HOME": str(home), "TMPDIR": str(home)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = keep | folders | environment
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    return done, [str(path) for path in home.rglob("*")]


@pytest.mark.parametrize("name", ["folder", "model.zip"])
def test_no_thread_file_or_connection_is_left(tmp_path, name):
    path = write_package(tmp_path / name, "box3", size=32)
    done, files = run(tmp_path, PREDICT_AND_PRINT_RESOURCES, path)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["0 1 0", "[]"]
    assert files == []


def test_zip_that_cannot_be_unpacked_is_reported(tmp_path, monkeypatch):
    model = ONNX.describe(str(write_package(tmp_path / "model.zip")))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(WorkerError, match=r"model\.zip cannot be unpacked: No such file or directory"):
        ONNX.load(model)


def load_and_wait(model, connection):
    """Load a model, and wait to be killed while it is unpacked."""

    def wait(*_arguments):
        connection.send("unpacking")
        signal.pause()

    onnx.check_sha256 = wait
    ONNX.load(model)


def test_files_of_a_worker_killed_while_unpacking_are_removed(tmp_path, monkeypatch):
    model = ONNX.describe(str(write_package(tmp_path / "model.zip")))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=load_and_wait, args=(model, sender), daemon=True)
    worker.start()
    assert receiver.recv() == "unpacking"
    remove_abandoned_folders()
    assert len(os.listdir(tmp_path / "tmp")) == 1
    worker.kill()
    worker.join()
    remove_abandoned_folders()
    assert os.listdir(tmp_path / "tmp") == []


USE_WITHOUT_LIBRARY = """
import sys
sys.modules["onnxruntime"] = None
from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError
onnx = RUNTIMES["onnx"]
model = onnx.describe(sys.argv[1])
for use in (onnx.version, lambda: onnx.load(model)):
    try:
        use()
    except RecipeError as error:
        print(error)
"""


def test_missing_library_is_reported_with_the_remedy(tmp_path):
    done, _ = run(tmp_path, USE_WITHOUT_LIBRARY, write_onnx(tmp_path / "model.onnx"))
    message = "models need the package onnxruntime, which is not installed (pip install 'imgpool[models]')"
    assert done.stderr == ""
    assert done.stdout.splitlines() == [message, message]
