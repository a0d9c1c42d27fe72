"""The benchmark: its images are reproducible, and all methods do the same work."""

import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

from benchmarks import corpora, rounds, table
from benchmarks.agreement import compare, read
from benchmarks.measuring import Command
from benchmarks.methods import LIBRARIES, POOL, SERIAL, methods
from benchmarks.peers import bound, command_line
from benchmarks.peers.method import Job, Method, python_module
from benchmarks.workloads import WORKLOADS, Workload
from imgpool import Recipe
from imgpool import read as read_image

TINY = next(workload for workload in WORKLOADS if workload.name == "tiny")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(corpora, "PHOTO_SHAPE", (1500, 2048))


@pytest.fixture
def images(tmp_path):
    """A function that creates a folder with two images of a corpus."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        make_one = {"cells": lambda folder, number: corpora.cells(folder, number, 128)}.get(name, corpora.CORPORA[name])
        for number in range(2):
            make_one(folder, number)
        return folder

    return make


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("corpus", ["photos", "cells", "tiny"])
def test_corpus_is_reproducible_and_its_images_differ(images, corpus):
    first = [path.read_bytes() for path in sorted(images(corpus).iterdir())]
    again = [path.read_bytes() for path in sorted(images(corpus).iterdir())]
    assert first == again
    assert first[0] != first[1]


@pytest.mark.parametrize("workload", WORKLOADS[:-1], ids=lambda workload: workload.name)
def test_bound_gives_the_results_of_imgpool(images, output, workload):
    source = min(images(workload.corpus).iterdir())
    target = output / f"bound{workload.suffix}"
    bound.KERNELS[workload.job]()(str(source), str(target))
    words = workload.arguments
    expected = read_image(source)
    for step in Recipe.from_specs([spec for flag, spec in pairwise(words) if flag == "-f"]).load_filters():
        expected = step(expected)
    assert_alike(read(str(target)), expected.pixels, lossy=workload.name == "photos")


@pytest.mark.parametrize("work", [workload.name for workload in WORKLOADS[:-1]])
def test_textbook_script_gives_the_results_of_the_bound(images, output, work):
    workload = next(workload for workload in WORKLOADS if workload.name == work)
    source = min(images(workload.corpus).iterdir())
    results = [str(output / f"{name}{workload.suffix}") for name in ("bound", "textbook")]
    bound.KERNELS[work]()(str(source), results[0])
    import_module(f"benchmarks.peers.textbook.{work}").process(str(source), results[1])
    assert_alike(*map(read, results), lossy=work == "photos")


@pytest.mark.parametrize("library", LIBRARIES.values())
def test_every_library_processes_every_image(images, output, library):
    package = library.partition(".")[0]
    if package in {"joblib", "mpire", "dask"} and not find_spec(package):
        pytest.skip(f"{package} is not installed")
    folder = images("tiny")
    command = python_module("benchmarks.peers.dispatch", library, "tiny", folder, output, ".png", "2")
    subprocess.run(command.words, check=True, timeout=120, cwd=command.folder)
    for source in folder.iterdir():
        bound.tiny()(str(source), str(output / "expected.png"))
        assert_alike(read(str(output / source.name)), read(str(output / "expected.png")))


@pytest.mark.parametrize("name", ["GraphicsMagick", "GraphicsMagick, level 1", "ImageMagick"])
def test_command_line_tool_processes_every_image(images, output, name):
    method = next(method for method in command_line.methods("tiny") if method.name == name)
    if method.missing or not shutil.which("xargs"):
        pytest.skip(method.missing)
    folder = images("tiny")
    rounds.run(method.commands(Job(TINY, folder, output, 2)))
    for source in folder.iterdir():
        bound.tiny()(str(source), str(output / "expected.png"))
        assert_alike(read(str(output / source.name)), read(str(output / "expected.png")), most=8)


def test_failing_method_is_recorded_and_others_are_measured(tmp_path):
    def python(code):
        return lambda job: [Command([sys.executable, "-c", code.format(output=job.output, folder=job.folder)])]

    copy = "import shutil; shutil.copytree('{folder}', '{output}', dirs_exist_ok=True)"
    contenders = [
        next(method for method in methods(TINY) if method.name == "bound"),
        Method("copies", python(copy)),
        Method("stops", python("raise SystemExit('out of film')")),
        Method("leaves out", python("pass")),
        Method("absent", python(""), missing="not installed"),
        Method("no program", lambda _job: [Command(["no-such-program-anywhere"])]),
    ]
    (tmp_path / "root").mkdir()
    workspace = rounds.Workspace(tmp_path / "root", tmp_path / "cache", keep=False)
    record = rounds.measure(TINY, contenders, workspace, count=5, rounds=2, workers=2)["methods"]
    assert {name: "failed" in taken for name, taken in record.items()} == {
        "bound": False, "copies": False, "stops": True, "leaves out": True, "absent": True, "no program": True,
    }  # fmt: skip
    assert all(seconds > 0 for seconds in record["bound"]["seconds"] + record["copies"]["seconds"])
    assert "out of film" in record["stops"]["failed"]
    assert record["bound"]["memory"] > 0
    assert record["bound"]["difference"]["max"] == 0
    assert record["copies"]["difference"]["max"] > 0


def test_extrapolation_counts_startup_once(tmp_path):
    workload = Workload("x", "x", "tiny", 12, 12, ".png", (), slow={"sleeps": 2})
    code = "import os, shutil, time; time.sleep(.1 * len(os.listdir('{0}'))); "
    code += "shutil.copytree('{0}', '{1}', dirs_exist_ok=True)"
    method = Method("sleeps", lambda job: [Command([sys.executable, "-c", code.format(job.folder, job.output)])])
    (tmp_path / "root").mkdir()
    workspace = rounds.Workspace(tmp_path / "root", tmp_path / "cache", keep=False)
    taken = rounds.measure(workload, [method], workspace, count=12, rounds=1, workers=1)["methods"]["sleeps"]
    assert (taken["images"], taken["of"]) == (6, 12)
    assert taken["seconds"][0] >= 1.0


def test_ratio_is_the_median_over_rounds():
    record = {"methods": {POOL: {"seconds": [1.0, 10.0, 2.0]}, "peer": {"seconds": [3.0, None, 4.0]}}}
    assert table.ratio(record, "peer") == pytest.approx(2.5)
    assert table.ratio(record, "absent") is None


def test_makespan_is_relative_to_longest_task_or_even_share():
    methods_ = {
        SERIAL: {"seconds": [21.0, 21.0], "tasks": [{"sum": 20.0, "longest": 5.0}, {"sum": 12.0, "longest": 11.0}]},
        POOL: {"seconds": [11.0, 11.0], "tasks": [{"sum": 22.0, "longest": 5.0}] * 2},
    }
    assert table.makespan({"workers": 2, "methods": methods_}) == pytest.approx((1.05, 1.0))


def test_table_names_the_target_and_a_faster_tool():
    seconds = {"bound": 0.9, POOL: 1.0, SERIAL: 1.9, "textbook map": 6.0, "GraphicsMagick": 12.0, "ImageMagick": 3.0}
    record = {
        "name": "stretch", "title": "stretched", "workers": 2,
        "methods": {name: {"seconds": [value], "memory": 1e8} for name, value in seconds.items()},
    }  # fmt: skip
    machine = {
        "date": "2020-02-20", "cores": 2, "processor": "P", "memory": 8e9, "system": "S", "file system": "F",
        "versions": {"imgpool": "1"},
    }  # fmt: skip
    rows = table.markdown({"machine": machine, "rounds": 1, "workloads": {"stretch": record}}).splitlines()
    assert rows[2].split(" | ")[3:7] == [
        "0.90 (≥ 0.9)", "6.00 (≥ 6)", "12 × GraphicsMagick (≥ 10); 3.00 × ImageMagick", "1.90 (≥ 1.9)",
    ]  # fmt: skip
    assert len({row.count("|") for row in rows[:3]}) == 1


def assert_alike(pixels, expected, *, lossy=False, most=1):
    """Equal except for rounding; a photo that was read at half its size may differ in its grain."""
    found = compare(np.squeeze(expected), pixels)
    assert found["same"], found
    assert found["mean"] < 6 if lossy else found["max"] <= most, found
