"""The benchmark: its images are always the same, and every way to do the work does the same work."""

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
from benchmarks.methods import POOL, SERIAL, WAYS, methods
from benchmarks.peers import bound, command_line
from benchmarks.peers.method import Job, Method, python_module
from benchmarks.workloads import WORKLOADS, Workload
from imgpool import Recipe
from imgpool import read as read_image

TINY = next(workload for workload in WORKLOADS if workload.name == "tiny")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(corpora, "PHOTO", (1500, 2048))


@pytest.fixture
def images(tmp_path):
    """A maker of folders with two images of a corpus."""

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
def test_bare_processes_write_what_imgpool_writes(images, output, workload):
    source = min(images(workload.corpus).iterdir())
    target = output / f"bound{workload.suffix}"
    bound.KERNELS[workload.job]()(str(source), str(target))
    words = workload.arguments
    expected = read_image(source)
    for step in Recipe.from_specs([spec for flag, spec in pairwise(words) if flag == "-f"]).load_filters():
        expected = step(expected)
    assert_alike(read(str(target)), expected.pixels, lossy=workload.name == "photos")


@pytest.mark.parametrize("work", [workload.name for workload in WORKLOADS[:-1]])
def test_textbook_script_writes_what_bare_processes_write(images, output, work):
    workload = next(workload for workload in WORKLOADS if workload.name == work)
    source = min(images(workload.corpus).iterdir())
    results = [str(output / f"{name}{workload.suffix}") for name in ("bound", "textbook")]
    bound.KERNELS[work]()(str(source), results[0])
    import_module(f"benchmarks.peers.textbook.{work}").process(str(source), results[1])
    assert_alike(*map(read, results), lossy=work == "photos")


@pytest.mark.parametrize("way", WAYS.values())
def test_every_dispatch_method_processes_every_image(images, output, way):
    library = way.partition(".")[0]
    if library in {"joblib", "mpire", "dask"} and not find_spec(library):
        pytest.skip(f"{library} is not installed")
    folder = images("tiny")
    command = python_module("benchmarks.peers.dispatch", way, "tiny", folder, output, ".png", "2")
    subprocess.run(command.words, check=True, timeout=120, cwd=command.folder)
    for source in folder.iterdir():
        bound.tiny()(str(source), str(output / "expected.png"))
        assert_alike(read(str(output / source.name)), read(str(output / "expected.png")))


@pytest.mark.parametrize("name", ["GraphicsMagick", "GraphicsMagick, level 1", "ImageMagick"])
def test_command_line_tool_gets_every_image(images, output, name):
    method = next(method for method in command_line.methods("tiny") if method.name == name)
    if method.missing or not shutil.which("xargs"):
        pytest.skip(method.missing)
    folder = images("tiny")
    rounds.run(method.commands(Job(TINY, folder, output, 2)))
    for source in folder.iterdir():
        bound.tiny()(str(source), str(output / "expected.png"))
        assert_alike(read(str(output / source.name)), read(str(output / "expected.png")), most=8)


def test_failed_method_is_noted_and_others_are_measured(tmp_path):
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
    place = rounds.Place(tmp_path / "root", tmp_path / "cache", keep=False)
    record = rounds.measure(TINY, contenders, place, count=5, rounds=2, workers=2)["methods"]
    assert {name: "failed" in taken for name, taken in record.items()} == {
        "bound": False, "copies": False, "stops": True, "leaves out": True, "absent": True, "no program": True,
    }  # fmt: skip
    assert all(seconds > 0 for seconds in record["bound"]["seconds"] + record["copies"]["seconds"])
    assert "out of film" in record["stops"]["failed"]
    assert record["bound"]["memory"] > 0
    assert record["bound"]["difference"]["max"] == 0
    assert record["copies"]["difference"]["max"] > 0


def test_start_of_a_tool_is_counted_once(tmp_path):
    workload = Workload("x", "x", "tiny", 12, 12, ".png", (), slow={"sleeps": 2})
    code = "import os, shutil, time; time.sleep(.1 * len(os.listdir('{0}'))); "
    code += "shutil.copytree('{0}', '{1}', dirs_exist_ok=True)"
    method = Method("sleeps", lambda job: [Command([sys.executable, "-c", code.format(job.folder, job.output)])])
    (tmp_path / "root").mkdir()
    place = rounds.Place(tmp_path / "root", tmp_path / "cache", keep=False)
    taken = rounds.measure(workload, [method], place, count=12, rounds=1, workers=1)["methods"]["sleeps"]
    assert (taken["images"], taken["of"]) == (6, 12)
    assert taken["seconds"][0] >= 1.0


def test_ratios_are_computed_per_round():
    record = {"methods": {POOL: {"seconds": [1.0, 10.0, 2.0]}, "peer": {"seconds": [3.0, None, 4.0]}}}
    assert table.ratio(record, "peer") == pytest.approx(2.5)
    assert table.ratio(record, "absent") is None


def test_makespan_is_compared_with_its_lower_bound():
    methods_ = {
        SERIAL: {"seconds": [21.0, 21.0], "tasks": [{"sum": 20.0, "longest": 5.0}, {"sum": 12.0, "longest": 11.0}]},
        POOL: {"seconds": [11.0, 11.0], "tasks": [{"sum": 22.0, "longest": 5.0}] * 2},
    }
    assert table.makespan({"workers": 2, "methods": methods_}) == pytest.approx((1.05, 1.0))


def test_the_readme_names_the_targets_peer_and_a_faster_one():
    seconds = {"bound": 0.9, POOL: 1.0, SERIAL: 1.9, "textbook map": 6.0, "GraphicsMagick": 12.0, "ImageMagick": 3.0}
    record = {
        "name": "stretch", "title": "stretched", "workers": 2,
        "methods": {name: {"seconds": [value], "memory": 1e8} for name, value in seconds.items()},
    }  # fmt: skip
    machine = {
        "date": "2020-02-20", "cores": 2, "processor": "P", "memory": 8e9, "system": "S", "file system": "F",
        "versions": {"imgpool": "1"},
    }  # fmt: skip
    rows = table.readme({"machine": machine, "rounds": 1, "workloads": {"stretch": record}}).splitlines()
    assert rows[2].split(" | ")[3:7] == [
        "0.90 (≥ 0.9)", "6.00 (≥ 6)", "12 × GraphicsMagick (≥ 10); 3.00 × ImageMagick", "1.90 (≥ 1.9)",
    ]  # fmt: skip
    assert len({row.count("|") for row in rows[:3]}) == 1


def assert_alike(pixels, expected, *, lossy=False, most=1):
    """Equal but for rounding; a photo read at half its size and sharpened may differ in its grain."""
    found = compare(np.squeeze(expected), pixels)
    assert found["same"], found
    assert found["mean"] < 6 if lossy else found["max"] <= most, found
