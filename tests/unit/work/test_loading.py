"""Loading the filters of a recipe, and the log of what heavy ones cost."""

import os
import threading

import numpy as np
import pytest

from imgpool.core.errors import WorkerError
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.system.rename import Placing
from imgpool.work.loading import LoadLog, StepLoad, check_unchanged, load_filters
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, load_worker_state
from tests.support.heavy_filter import installed


@pytest.fixture
def _heavy_filter(monkeypatch):
    with installed(monkeypatch):
        yield


@pytest.mark.usefixtures("_heavy_filter")
def test_filters_load_in_order_and_heavy_ones_are_reported():
    loads = []
    filters = load_filters(Recipe.from_specs(["invert", "heavy", "heavy", "invert"]), loads.append)
    image = Image(np.full((3, 3), 7, np.uint8), "YX")
    seen = []
    for filter_ in filters:
        image = filter_(image)
        seen.append(int(image.pixels[0, 0]))
    assert seen == [248, 7, 248, 7]
    assert [(load.step, load.pid) for load in loads] == [(1, os.getpid()), (2, os.getpid())]
    assert all(load.seconds > 0 and load.memory >= 0 for load in loads)


@pytest.mark.usefixtures("_heavy_filter")
def test_file_that_changed_since_the_plan_stops_the_run(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"before")
    recipe = Recipe.from_specs(["invert", f"heavy:weights={weights}"])
    destination = Destination(str(tmp_path), str(tmp_path), "token", Placing())
    planned = [step.provenance for step in recipe.steps]
    check_unchanged(recipe, planned)
    check_unchanged(recipe, None)
    weights.write_bytes(b"afterwards")
    with pytest.raises(WorkerError, match=f"the step heavy: {weights} .weights. has changed since the run began"):
        load_worker_state(Job(recipe, str(tmp_path), destination, provenance=tuple(planned)))
    load_worker_state(Job(recipe, str(tmp_path), destination))


def test_concurrent_entries_are_complete(tmp_path):
    log = LoadLog(str(tmp_path))
    assert log.read() == ()
    loads = [StepLoad(0, number, 0.25, 10**9 + number) for number in range(100)]
    threads = [threading.Thread(target=LoadLog(str(tmp_path)).add, args=[load]) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(log.read(), key=lambda load: load.pid) == loads


def test_incomplete_entry_is_skipped(tmp_path):
    log = LoadLog(str(tmp_path))
    log.add(StepLoad(0, 1, 0.5, 3))
    with open(tmp_path / "loads.jsonl", "ab") as file:
        file.write(b'{"step": 0, "pi\n[]\n')
    log.add(StepLoad(1, 2, 0.5, 3))
    assert [load.pid for load in log.read()] == [1, 2]


def test_unwritable_log_raises_nothing(tmp_path):
    gone = LoadLog(str(tmp_path / "gone"))
    gone.add(StepLoad(0, 1, 0.5, 3))
    assert gone.read() == ()
