"""What loading takes is noted for heavy steps, where nobody's death can undo it."""

import os
import threading

import numpy as np
import pytest

from imgpool.core.errors import WorkerError
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.work.loading import Load, LoadLog, check_unchanged, load_filters
from imgpool.work.process_file import Job, set_up
from tests.support.heavy_filter import installed


@pytest.fixture
def _heavy_filter(monkeypatch):
    with installed(monkeypatch):
        yield


@pytest.mark.usefixtures("_heavy_filter")
def test_every_filter_is_loaded_in_order_and_the_heavy_ones_are_noted():
    noted = []
    filters = load_filters(Recipe.from_specs(["invert", "heavy", "heavy", "invert"]), noted.append)
    image = Image(np.full((3, 3), 7, np.uint8), "YX")
    seen = []
    for filter_ in filters:
        image = filter_(image)
        seen.append(int(image.pixels[0, 0]))
    assert seen == [248, 7, 248, 7]
    assert [(load.step, load.pid) for load in noted] == [(1, os.getpid()), (2, os.getpid())]
    assert all(load.seconds > 0 and load.memory >= 0 for load in noted)


@pytest.mark.usefixtures("_heavy_filter")
def test_a_file_that_changes_between_plan_and_worker_stops_the_run(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"before")
    recipe = Recipe.from_specs(["invert", f"heavy:weights={weights}"])
    planned = [step.provenance for step in recipe.steps]
    check_unchanged(recipe, planned)
    check_unchanged(recipe, None)
    weights.write_bytes(b"afterwards")
    with pytest.raises(WorkerError, match=f"the step heavy: {weights} .weights. has changed since the run began"):
        set_up(Job(recipe, str(tmp_path), provenance=tuple(planned)))
    set_up(Job(recipe, str(tmp_path)))


def test_notes_of_many_are_all_there_and_whole(tmp_path):
    notes = LoadLog(str(tmp_path))
    assert notes.read() == ()
    loads = [Load(0, number, 0.25, 10**9 + number) for number in range(100)]
    threads = [threading.Thread(target=LoadLog(str(tmp_path)).add, args=[load]) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notes.read(), key=lambda load: load.pid) == loads


def test_a_torn_note_is_passed_over(tmp_path):
    notes = LoadLog(str(tmp_path))
    notes.add(Load(0, 1, 0.5, 3))
    with open(tmp_path / "loads.jsonl", "ab") as file:
        file.write(b'{"step": 0, "pi\n[]\n')
    notes.add(Load(1, 2, 0.5, 3))
    assert [load.pid for load in notes.read()] == [1, 2]


def test_no_image_is_lost_for_want_of_a_note(tmp_path):
    gone = LoadLog(str(tmp_path / "gone"))
    gone.add(Load(0, 1, 0.5, 3))
    assert gone.read() == ()
