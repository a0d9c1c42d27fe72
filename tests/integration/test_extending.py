"""The example packages of docs/extending.md install, keep their contracts, and work in the command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imgpool import Image, read, write

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
EXAMPLES = sorted(path.parent for path in ROOT.glob("docs/examples/*/pyproject.toml"))
SHOWN = re.findall(r"^`(docs/examples/[^`]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment in which all example packages are installed."""
    target = tmp_path_factory.mktemp("site-packages")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", target, *EXAMPLES]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return {"PYTHONPATH": str(target)}


@pytest.fixture
def photos(tmp_path):
    """A folder with one image, a ramp from black to white."""
    folder = tmp_path / "photos"
    folder.mkdir()
    write(Image.from_array(np.arange(256, dtype=np.uint8).reshape(16, 16)), folder / "ramp.png")
    return folder


def test_page_shows_every_file_of_the_packages():
    files = {path for folder in EXAMPLES for path in folder.iterdir() if path.suffix in {".py", ".toml"}}
    assert {ROOT / name for name, _ in SHOWN} == files


@pytest.mark.parametrize(("name", "code"), SHOWN, ids=[name for name, _ in SHOWN])
def test_page_shows_the_code_of_the_package(name, code):
    assert code == (ROOT / name).read_text("utf-8")


def test_messages_explained_are_those_of_the_contracts():
    code = "".join(path.read_text("utf-8") for path in ROOT.glob("imgpool/testing/*.py"))
    code += (ROOT / "imgpool" / "core" / "catalogue.py").read_text("utf-8").replace("{self.kind}", "filter")
    messages = re.findall(r"^\| `([^`]+)` \| ", PAGE.partition("## When a contract test fails")[2], re.MULTILINE)
    assert len(messages) == 10
    for part in (part.strip() for message in messages for part in message.split("…")):
        assert part in code, part


def test_example_packages_pass_their_own_tests(installed, tmp_path):
    files = [path for folder in EXAMPLES for path in folder.glob("test_*.py")]
    assert len(files) == len(EXAMPLES) == 4
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", tmp_path, "-W", "error"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **installed}, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout


def test_filter_of_another_package_runs(imgpool, installed, photos):
    assert imgpool("process", photos, "-f", "posterize:levels=2", env=installed).code == 0
    pixels = read(photos.with_name("photos-processed") / "ramp.png").pixels
    assert np.unique(pixels).tolist() == [0, 255]
    assert "levels" in imgpool("filters", "posterize", env=installed).stdout


def test_format_of_another_package_is_written_and_read(imgpool, installed, photos, tmp_path):
    assert imgpool("process", photos, "-f", "invert", "--to", "pgm", "-o", tmp_path / "pgm", env=installed).code == 0
    assert (tmp_path / "pgm" / "ramp.pgm").read_bytes().startswith(b"P5")
    back = imgpool("process", tmp_path / "pgm", "-f", "invert", "--to", "png", "-o", tmp_path / "png", env=installed)
    assert back.code == 0
    assert np.array_equal(read(tmp_path / "png" / "ramp.png").pixels, read(photos / "ramp.png").pixels)


def test_engine_of_another_package_runs(imgpool, installed, photos, tmp_path):
    for engine in ("threads", "serial"):
        done = imgpool("process", photos, "--engine", engine, "-o", tmp_path / engine, "--json", env=installed)
        assert (done.code, done.json["engine"]) == (0, engine)
    assert (tmp_path / "threads" / "ramp.png").read_bytes() == (tmp_path / "serial" / "ramp.png").read_bytes()


def test_model_runtime_of_another_package_runs(imgpool, installed, photos):
    model = ROOT / "docs" / "examples" / "runtime" / "blur.kernel"
    done = imgpool("process", photos, "-f", f"model:path={model},dtype=image", env=installed)
    assert done.code == 0, done.stderr
    pixels = read(photos.with_name("photos-processed") / "ramp.png").pixels
    assert pixels[1:-1, 1:-1].tolist() == read(photos / "ramp.png").pixels[1:-1, 1:-1].tolist()  # a ramp stays one
    assert "kernel" in imgpool("models", model, env=installed).stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.onnx", b"weights", "is not an ONNX file, or it is damaged"),
        ("broken.kernel", b"kernel\n1 2\n3\n", "broken.kernel is damaged"),
        ("even.kernel", b"kernel\n1 2\n", "even.kernel has 1×2 numbers"),
        ("other.txt", b"weights", "is not an ONNX file, or it is damaged"),
    ],
)
def test_runtime_that_recognises_a_model_refuses_it(imgpool, installed, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    done = imgpool("models", tmp_path / name, env=installed)
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr


def test_built_in_runtime_refuses_a_folder_without_model(imgpool, installed, tmp_path):
    assert "it has no bioimageio.yaml" in imgpool("models", tmp_path, env=installed).stderr
