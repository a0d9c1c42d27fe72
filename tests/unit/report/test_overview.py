"""The plan and the summary of a run, as text and as JSON."""

import json
import os

import imagecodecs
import numpy as np
import pytest

from imgpool.batch.run import Runner
from imgpool.core.recipe import Recipe
from imgpool.report import overview
from imgpool.report.tally import Tally
from tests.support import small_runs
from tests.support.permissions import unreadable

DOCUMENTED = [
    "found", "done", "skipped", "failed", "left", "seconds", "images_per_second", "interrupted",
    "engine", "workers", "chunksize", "recipe", "fingerprint", "output", "provenance",
    "model_loads", "models", "warnings", "failures",
]  # fmt: skip


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two images, a text and a pipe. The current folder is the parent."""
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for name in ("a.png", "trip/b\n.png"):
        (folder / name).write_bytes(imagecodecs.png_encode(np.zeros((100, 200), np.uint8)))
    (folder / "notes.txt").touch()
    os.mkfifo(folder / "pipe.png")
    monkeypatch.chdir(tmp_path)
    return folder


def plan(*inputs, spec="gaussian", **settings):
    return small_runs.plan_for(*inputs, recipe=Recipe.from_specs([spec]), **settings)


def finish(planned):
    return finish_run(Runner(planned))


def finish_run(run):
    tally = Tally(found=len(run.plan.images))
    for result in run.results():
        tally.add(result)
    return tally


def test_paths_are_relative_to_the_input_or_current_folder(photos, tmp_path):
    assert overview.display_root(plan("photos").settings.inputs) == str(photos)
    assert overview.display_root(plan(photos / "a.png").settings.inputs) == str(tmp_path)
    assert overview.display_root(plan(photos, photos / "trip", output="/out").settings.inputs) == str(tmp_path)


def test_the_header_counts_images_and_ignored_files(photos):
    lines = list(overview.header_lines(plan(photos)))
    assert lines[0].startswith("gaussian · 2 images · ")
    assert lines[0].endswith(" · serial → photos-processed")
    assert lines[1:] == ["  1 file ignored: not an image", "  pipe.png ignored: a named pipe"]
    assert "2 workers → " in next(overview.header_lines(plan(photos, engine="pool", workers=2)))


def test_the_header_says_what_is_processed_again_and_why(photos):
    finish(plan(photos))
    assert any(line.startswith("  2 images already done and unchanged") for line in overview.header_lines(plan(photos)))
    again = list(overview.header_lines(plan(photos, spec="gaussian:sigma=2")))
    assert "  reprocessing 2 images: the recipe changed" in again


def test_failed_images_lead_to_advice(photos):
    assert overview.retry_advice(finish(plan(photos))) == []
    (photos / "bad.png").write_bytes(b"no picture")
    (line,) = overview.retry_advice(finish(plan(photos)))
    assert "again" in line


def test_the_plan_lists_source_target_and_reason(photos):
    lines = list(overview.plan_lines(plan(photos)))
    assert lines[0] == "a.png → photos-processed/a.png · new"
    assert lines[1] == r"trip/b\n.png → photos-processed/trip/b\n.png · new"
    assert lines[2].startswith("2 images to process (")
    assert "0.0 megapixels" in lines[2]
    finish(plan(photos))
    done = list(overview.plan_lines(plan(photos)))
    assert done[0].endswith("skipped: already done and unchanged")
    assert done[-1] == "0 images to process (0 bytes, 0.0 megapixels), 2 already done"


def test_plan_json_lists_tasks_and_workload(photos):
    planned = plan(photos)
    data = json.loads(json.dumps(overview.plan_json(planned)))
    assert data["found"] == 2
    assert data["estimate"]["images"] == 2
    assert data["estimate"]["megapixels"] == 0.04
    assert data["estimate"]["bytes"] == sum(task.size for task in planned.tasks)
    assert data["tasks"][0] == {
        "source": str(photos / "a.png"),
        "target": f"{photos}-processed/a.png",
        "reason": "new",
    }


def test_unreadable_headers_have_no_megapixels(photos):
    (photos / "bad.png").write_bytes(b"no picture")
    (photos / "gone.png").symlink_to("nowhere")
    work = overview.workload(plan(photos))
    assert (work["images"], work["megapixels"]) == (4, 0.04)


def test_planning_writes_nothing(photos, tmp_path):
    planned = plan(photos)
    list(overview.plan_lines(planned))
    overview.plan_json(planned)
    assert os.listdir(tmp_path) == ["photos"]


def test_summary_json_has_the_documented_keys(photos):
    (photos / "bad\udcff.png").write_bytes(b"no picture")
    run = Runner(plan(photos))
    data = json.loads(json.dumps(overview.summary_json(run, finish_run(run))))
    assert list(data) == DOCUMENTED
    assert (data["found"], data["done"], data["skipped"], data["failed"]) == (3, 2, 0, 1)
    assert (data["left"], data["interrupted"]) == (0, False)
    assert overview.summary_json(run, Tally(found=3), interrupted=True)["interrupted"]
    assert (data["engine"], data["workers"], data["chunksize"]) == ("serial", 1, "auto")
    assert (data["recipe"], data["fingerprint"]) == ("gaussian", run.plan.fingerprint)
    assert data["output"] == f"{photos}-processed"
    assert list(data["failures"][0]) == ["source", "stage", "error", "message"]
    assert data["failures"][0]["source"].endswith("bad\udcff.png")


def test_an_unlisted_folder_is_counted_as_failed(photos):
    with unreadable(photos / "trip"):
        run = Runner(plan(photos))
    data = overview.summary_json(run, finish_run(run))
    assert data["failed"] == 1
    assert data["done"] == 1
    assert any("trip" in failure["source"] for failure in data["failures"])
