"""Models in a run: loaded once per worker, tried before, never in the parent. And the command that explains them."""

import json
import os
import shutil
import signal
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest

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
told = {"pids": sorted(pids), "loads": sorted(load.pid for load in run.loads), "threads": sorted(threads)}
told["native threads"] = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
told["modules"] = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(told))
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
    """A small model, published with a test."""
    return write_package(tmp_path_factory.mktemp("model") / "box3.zip", "box3", halo=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return images(tmp_path_factory.mktemp("photos") / "in", 12, 40)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_each_worker_loads_the_model_once_and_the_parent_never(package, photos, tmp_path, method):
    told = run_script(photos, f"model:path={package},tile=16,dtype=image", tmp_path / "out", method, 1)
    assert set(told["pids"]) <= set(told["loads"])
    assert len(told["loads"]) == len(set(told["loads"])) <= 2  # the other may be too late for such a short run
    assert "onnxruntime" not in told["modules"]


def test_a_model_is_loaded_no_oftener_with_many_images_that_are_handed_out_one_by_one(tmp_path):
    (tmp_path / "notes").mkdir()
    photos = images(tmp_path / "in", 200)
    told = run_script(photos, f"heavy:notes={tmp_path / 'notes'},together=2", tmp_path / "out", "forkserver", 1)
    assert len(told["loads"]) == 2
    assert told["loads"] == told["pids"]
    loaded = processes(tmp_path / "notes")
    assert set(told["loads"]) < set(loaded)
    assert len(loaded) == 3  # and the trial


def test_the_runtime_leaves_no_thread_no_file_and_nothing_in_the_parent(package, photos, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "TMPDIR": str(tmp_path)}
    with_model = run_script(photos, f"model:path={package},dtype=image", tmp_path / "a", "forkserver", 1, **places)
    without = run_script(photos, "invert", tmp_path / "b", "forkserver", 1, **places)
    assert list(home.rglob("*")) == []
    assert with_model["threads"] == without["threads"]
    assert with_model["native threads"] == without["native threads"]
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "home"]


def test_a_worker_that_dies_costs_one_load_in_each_worker_of_the_next_pool(imgpool, tmp_path):
    """A pool is thrown away whole when a worker dies: loads are workers times pools."""
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


def test_serial_and_pool_write_the_same_bytes(imgpool, package, photos, tmp_path, hashes):
    step = f"model:path={package},tile=16,dtype=image"
    pool = imgpool("process", photos, "-f", step, "-j", "2", "--json", "-v", "-o", tmp_path / "pool")
    serial = imgpool("process", photos, "-f", step, "--serial", "--json", "-o", tmp_path / "serial")
    assert (pool.code, serial.code) == (0, 0)
    assert pool.json["model_loads"] in {1, 2}
    assert serial.json["model_loads"] == 1
    assert hashes(tmp_path / "pool") == hashes(tmp_path / "serial")
    assert len(hashes(tmp_path / "pool")) == 12
    assert "model: tried, it loads in" in pool.stderr
    assert "model: loaded " in pool.stderr
    assert pool.json["models"][0]["model"] == "small model"


@pytest.mark.parametrize("options", [(), ("--serial",)])
def test_a_model_that_does_not_load_ends_the_run_before_it_has_begun(imgpool, photos, tmp_path, options):
    broken = write_onnx(tmp_path / "broken.onnx", "broken")
    output = tmp_path / "out"
    done = imgpool("process", photos, "-f", f"model:path={broken},dtype=image", *options, "-o", output, "-q")
    assert done.code == 3
    assert str(broken) in done.stderr
    assert "does not load" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
    assert not output.exists()
    planned = imgpool("process", photos, "-f", f"model:path={broken},dtype=image", "-o", output, "--dry-run", "--json")
    assert planned.code == 0  # it reads and plans, and loads nothing


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, 137)])
def test_a_run_that_is_ended_while_it_tries_a_model_leaves_nothing_behind(tmp_path, number, code):
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


def test_memory_decides_how_many_workers_there_are(imgpool, tmp_path):
    photos = images(tmp_path / "in", 20)
    environment = {"PYTHONPATH": str(HEAVY)}
    step = ("-f", "heavy:megabytes=150", "-j", "8", "--json")
    done = imgpool("process", photos, *step, "--max-memory", "600MB", env=environment)
    assert done.code == 0
    assert 1 <= done.json["workers"] <= 2
    assert 1 <= done.json["model_loads"] <= done.json["workers"]
    assert "instead of 8: with the recipe loaded, each takes " in done.stderr
    done = imgpool("process", photos, *step, "--max-memory", "100MB", "--fresh", env=environment)
    assert done.code == 3
    assert "raise --max-memory" in done.stderr
    assert (done.json["done"], done.json["left"]) == (0, 20)


def test_a_model_is_known_by_what_is_in_its_package_not_by_where_it_lies(imgpool, photos, tmp_path):
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
    assert "processing 12 images again: the recipe changed" in other_weights.stderr

    shutil.rmtree(second)
    halved = [{"id": "scale_linear", "kwargs": {"gain": 0.5}}]
    other_processing = process(write_package(second, "double", scale=4.0, preprocessing=halved))
    assert "processing 12 images again: the recipe changed" in other_processing.stderr


def test_the_models_in_the_box_are_listed_and_one_is_explained(imgpool):
    listed = imgpool("models")
    assert listed.code == 0
    assert "denoise" in listed.stdout
    told = imgpool("models", "denoise", "--json")
    assert told.code == 0
    assert told.json["version"]


@pytest.mark.parametrize(("gain", "code", "mark"), [(1.0, 0, "✓"), (2.0, 1, "✗")])
def test_a_package_is_checked_by_its_published_test(imgpool, tmp_path, gain, code, mark):
    package = write_package(tmp_path / "model.zip", preprocessing=[{"id": "scale_linear", "kwargs": {"gain": gain}}])
    told = imgpool("models", package, "--check")
    assert told.code == code
    assert told.stdout.startswith(f"{mark} y: largest difference")


@pytest.mark.parametrize(("kind", "code"), [("broken", 3), (None, 2)])
def test_what_cannot_be_checked_is_told_in_a_sentence(imgpool, tmp_path, kind, code):
    package = write_package(tmp_path / "package", kind) if kind else tmp_path / "absent"
    done = imgpool("models", package, "--check")
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.startswith("imgpool: ")
    assert str(package) in done.stderr
    assert len(done.stderr.splitlines()) == 2
