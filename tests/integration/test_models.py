"""Models in a run: loaded once per worker, never in the parent; and the command ``imgpool models``."""

import json
import os
import shutil
import signal
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest

from tests.support.hashes import output_hashes
from tests.support.heavy_filter import HEAVY, processes
from tests.support.onnx_files import write_onnx, write_package
from tests.support.runs import POISON, Running, command, seconds_until

SCRIPT = """
import json, os, sys, threading
from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.recipe import Recipe

source, spec, output, method, chunksize = sys.argv[1:]
recipe = Recipe.from_specs([spec])
settings = RunSettings((source,), recipe, output, workers=2, chunksize=int(chunksize), start_method=method)
run = Runner(make_plan(settings))
threads, pids = set(), set()
for result in run.results():
    assert result.status == "done", result
    pids.add(result.pid)
    threads |= {thread.name for thread in threading.enumerate()}
report = {"pids": sorted(pids), "loads": sorted(load.pid for load in run.loads), "threads": sorted(threads)}
report["native threads"] = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
report["modules"] = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(report))
"""


def images(folder, count, side=8, first=None):
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(10, 200, (side, side), np.uint8)
        pixels.flat[0] = (first or {}).get(number, 10)
        (folder / f"{number:03}.png").write_bytes(imagecodecs.png_encode(pixels))
    return folder


def run_script(*arguments, **environment):
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(HEAVY), **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, env=environment)
    assert not done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A small model with a published test."""
    return write_package(tmp_path_factory.mktemp("model") / "box3.zip", "box3", halo=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return images(tmp_path_factory.mktemp("photos") / "in", 12, 40)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_each_worker_loads_the_model_once(package, photos, tmp_path, method):
    report = run_script(photos, f"model:path={package},tile=16,dtype=image", tmp_path / "out", method, 1)
    assert set(report["pids"]) <= set(report["loads"])
    assert len(report["loads"]) == len(set(report["loads"])) <= 2, "the second worker may start too late to load"
    assert "onnxruntime" not in report["modules"]


def test_loads_do_not_depend_on_the_number_of_images(tmp_path):
    (tmp_path / "notes").mkdir()
    photos = images(tmp_path / "in", 200)
    report = run_script(photos, f"heavy:notes={tmp_path / 'notes'},together=2", tmp_path / "out", "forkserver", 1)
    assert len(report["loads"]) == 2
    assert report["loads"] == report["pids"]
    loaded = processes(tmp_path / "notes")
    assert set(report["loads"]) < set(loaded)
    assert len(loaded) == 3  # includes the preflight


def test_runtime_leaves_nothing_in_the_parent_or_on_disk(package, photos, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(tmp_path)}
    with_model = run_script(photos, f"model:path={package},dtype=image", tmp_path / "a", "forkserver", 1, **places)
    without = run_script(photos, "invert", tmp_path / "b", "forkserver", 1, **places)
    assert list(home.rglob("*")) == []
    assert with_model["threads"] == without["threads"]
    assert with_model["native threads"] == without["native threads"]
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "home"]


def test_dead_worker_costs_one_load_per_worker(imgpool, tmp_path):
    """A pool is replaced when a worker dies, so the number of loads is that of workers times pools."""
    (tmp_path / "notes").mkdir()
    photos = images(tmp_path / "in", 30, first={4: 1})  # at 1, `poisoned` crashes
    heavy = f"heavy:notes={tmp_path / 'notes'},together=2,nap=0.05"
    paths = os.pathsep.join(map(str, (HEAVY, POISON)))
    options = ("-j", "2", "--chunksize", "1", "--retries", "0", "--json")
    done = imgpool(
        "process", photos, "-f", heavy, "-f", "invert", "-f", "poisoned", *options, env={"PYTHONPATH": paths}
    )
    assert done.code == 1
    assert (done.json["done"], done.json["failed"]) == (29, 1)
    assert done.json["model_loads"] == 2 * 2
    (model,) = done.json["models"]
    assert (model["filter"], model["loads"]) == ("heavy", 4)


def test_serial_and_pool_write_the_same_bytes(imgpool, package, photos, tmp_path):
    step = f"model:path={package},tile=16,dtype=image"
    pool = imgpool("process", photos, "-f", step, "-j", "2", "--json", "-v", "-o", tmp_path / "pool")
    serial = imgpool("process", photos, "-f", step, "--serial", "--json", "-o", tmp_path / "serial")
    assert (pool.code, serial.code) == (0, 0)
    assert pool.json["model_loads"] in {1, 2}
    assert serial.json["model_loads"] == 1
    assert output_hashes(tmp_path / "pool") == output_hashes(tmp_path / "serial")
    assert len(output_hashes(tmp_path / "pool")) == 12
    assert "model: loads in" in pool.stderr
    assert "model: loaded " in pool.stderr
    assert pool.json["models"][0]["model"] == "small model"


@pytest.mark.parametrize("options", [(), ("--serial",)])
def test_model_that_does_not_load_stops_the_run_early(imgpool, photos, tmp_path, options):
    broken = write_onnx(tmp_path / "broken.onnx", "broken")
    output = tmp_path / "out"
    done = imgpool("process", photos, "-f", f"model:path={broken},dtype=image", *options, "-o", output, "-q")
    assert done.code == 3
    assert str(broken) in done.stderr
    assert "does not load" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
    assert not output.exists()
    planned = imgpool("process", photos, "-f", f"model:path={broken},dtype=image", "-o", output, "--dry-run", "--json")
    assert planned.code == 0  # a dry run loads no model


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, 137)])
def test_interrupted_preflight_leaves_nothing_behind(tmp_path, number, code):
    (tmp_path / "notes").mkdir()
    images(tmp_path / "in", 3)
    step = f"heavy:how=hang,notes={tmp_path / 'notes'}"
    running = Running(command("process", tmp_path / "in", "-f", step), tmp_path, PYTHONPATH=str(HEAVY))
    try:
        assert running.until(lambda: processes(tmp_path / "notes"))
        running.send(number, group=True)
        assert running.wait().code == code
        assert seconds_until(lambda: not running.processes(), 30) is not None
        assert seconds_until(lambda: sorted(os.listdir(tmp_path)) == ["in", "notes"], 10) is not None
    finally:
        running.close()


def test_memory_limits_the_number_of_workers(imgpool, tmp_path):
    photos = images(tmp_path / "in", 20)
    environment = {"PYTHONPATH": str(HEAVY)}
    step = ("-f", "heavy:megabytes=150", "-j", "8", "--json")
    done = imgpool("process", photos, *step, "--max-memory", "600MB", env=environment)
    assert done.code == 0
    assert 1 <= done.json["workers"] <= 2
    assert 1 <= done.json["model_loads"] <= done.json["workers"]
    assert "instead of 8: each needs " in done.stderr
    done = imgpool("process", photos, *step, "--max-memory", "100MB", "--fresh", env=environment)
    assert done.code == 3
    assert "raise --max-memory" in done.stderr
    assert (done.json["done"], done.json["left"]) == (0, 20)


def test_model_is_identified_by_content_not_by_path(imgpool, photos, tmp_path):
    output = tmp_path / "out"
    first = write_package(tmp_path / "first", "double")

    def process(package):
        return imgpool("process", photos, "-f", f"model:path={package},dtype=image", "-o", output, "--json", "-j", "1")

    assert process(first).json["done"] == 12
    provenance = json.loads((output / ".imgpool" / "run.json").read_bytes())["provenance"]
    assert provenance[0]["model"]["path"]["version"] == "1.2"
    lines = [json.loads(line) for line in (output / ".imgpool" / "journal.jsonl").read_bytes().splitlines()]
    assert [line["provenance"] for line in lines] == [provenance] * 12
    assert "small model" in imgpool("status", output).stdout
    assert imgpool("verify", output).code == 0

    second = shutil.move(first, tmp_path / "second")
    assert process(second).json["skipped"] == 12

    shutil.rmtree(second)
    other_weights = process(write_package(second, "double", scale=4.0))
    assert other_weights.json["done"] == 12
    assert "reprocessing 12 images: the recipe changed" in other_weights.stderr

    shutil.rmtree(second)
    halved = [{"id": "scale_linear", "kwargs": {"gain": 0.5}}]
    other_processing = process(write_package(second, "double", scale=4.0, preprocessing=halved))
    assert "reprocessing 12 images: the recipe changed" in other_processing.stderr


def test_built_in_models_are_listed_and_described(imgpool):
    listed = imgpool("models")
    assert listed.code == 0
    assert "denoise" in listed.stdout
    described = imgpool("models", "denoise", "--json")
    assert described.code == 0
    assert described.json["version"]


@pytest.mark.parametrize(("gain", "code", "mark"), [(1.0, 0, "✓"), (2.0, 1, "✗")])
def test_package_is_checked_with_its_published_test(imgpool, tmp_path, gain, code, mark):
    package = write_package(tmp_path / "model.zip", preprocessing=[{"id": "scale_linear", "kwargs": {"gain": gain}}])
    checked = imgpool("models", package, "--check")
    assert checked.code == code
    assert checked.stdout.startswith(f"{mark} y: largest difference")


@pytest.mark.parametrize(("kind", "code"), [("broken", 3), (None, 2)])
def test_failed_check_is_reported_in_one_sentence(imgpool, tmp_path, kind, code):
    package = write_package(tmp_path / "package", kind) if kind else tmp_path / "absent"
    done = imgpool("models", package, "--check")
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.startswith("imgpool: ")
    assert str(package) in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.fixture(scope="module")
def without_onnxruntime(tmp_path_factory):
    """Environment variables with which onnxruntime cannot be imported, as if the extra `models` were not installed."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("command", ["recipes", "recipes denoise", "models", "models denoise", "filters model"])
def test_listings_need_no_model_runtime(imgpool, without_onnxruntime, command):
    listed = imgpool(*command.split(), env=without_onnxruntime)
    assert (listed.code, listed.stderr) == (0, "")
    assert "denoise" in listed.stdout
    assert imgpool(*command.split(), "--json", env=without_onnxruntime).json


def test_recipe_has_no_fingerprint_without_its_runtime(imgpool, without_onnxruntime):
    found = {each["name"]: each["fingerprint"] for each in imgpool("recipes", "--json", env=without_onnxruntime).json}
    assert [name for name, fingerprint in found.items() if fingerprint is None] == ["denoise"]


@pytest.mark.parametrize("options", [("-r", "denoise"), ("-f", "model:path=denoise"), ("-r", "denoise", "-n")])
def test_missing_runtime_is_reported_before_a_run(imgpool, without_onnxruntime, photos, tmp_path, options):
    done = imgpool("process", photos, *options, "-o", tmp_path / "out", env=without_onnxruntime)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "imgpool: models need the package onnxruntime, which is not installed",
        "  → pip install 'imgpool[models]'",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["compare {} -r denoise", "models denoise --check"])
def test_missing_runtime_is_reported_by_other_commands(imgpool, without_onnxruntime, photos, command):
    done = imgpool(*command.format(photos).split(), env=without_onnxruntime)
    assert done.code == 2
    assert "→ pip install 'imgpool[models]'" in done.stderr
