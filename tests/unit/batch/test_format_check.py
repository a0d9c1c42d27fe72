"""Results that their output format cannot hold are refused before a run starts."""

import os

import imagecodecs
import numpy as np
import pytest

from imgpool.batch.format_check import check_formats
from imgpool.batch.headers import HeaderReading
from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.scan import scan
from imgpool.batch.settings import RunSettings
from imgpool.batch.targets import make_tasks
from imgpool.core.errors import UsageError
from imgpool.core.recipe import Output, Recipe
from imgpool.formats.png import PNG

KEEP = Recipe("keep")
TO_JPEG = KEEP.with_output(Output.parse("jpeg"))
GREY_8 = np.arange(64, dtype=np.uint8).reshape(8, 8)
GREY_16 = GREY_8.astype(np.uint16) * 1000


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(pixels))


def tasks_for(folder, recipe, output):
    images, _ = scan([folder], str(output))
    return make_tasks(images, str(output), recipe)


def test_image_that_the_output_format_cannot_hold_is_refused(tmp_path):
    write_png(tmp_path / "in/deep.png", GREY_16)
    write_png(tmp_path / "in/flat.png", GREY_8)
    tasks = tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out")
    with pytest.raises(UsageError, match=r"deep\.png cannot be written: .*16") as caught:
        check_formats(tasks, TO_JPEG)
    assert "flat.png" not in caught.value.message
    assert "rescale_intensity:out=uint8" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_suggested_filter_makes_the_image_acceptable(tmp_path):
    write_png(tmp_path / "in/deep.png", GREY_16)
    recipe = Recipe.from_specs(["rescale_intensity:out=uint8"]).with_output(Output.parse("jpeg"))
    check_formats(tasks_for(tmp_path / "in", recipe, tmp_path / "out"), recipe)


def test_recipe_that_changes_the_dtype_is_checked_for_itself(tmp_path):
    write_png(tmp_path / "in/a.png", GREY_8)
    recipe = Recipe.from_specs(["rescale_intensity:out=float32"])
    with pytest.raises(UsageError, match=r"a\.png cannot be written: .*floating-point") as caught:
        check_formats(tasks_for(tmp_path / "in", recipe, tmp_path / "out"), recipe)
    assert caught.value.hint
    to_tiff = recipe.with_output(Output.parse("tiff"))
    check_formats(tasks_for(tmp_path / "in", to_tiff, tmp_path / "out"), to_tiff)


def test_only_the_first_refused_files_are_named(tmp_path):
    for number in range(5):
        write_png(tmp_path / f"in/{number}.png", GREY_16)
    with pytest.raises(UsageError, match=r"0\.png, .*1\.png, .*2\.png and 2 more cannot be written"):
        check_formats(tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out"), TO_JPEG)


def test_reason_names_its_image_if_others_have_another_reason(tmp_path):
    write_png(tmp_path / "in/0.png", GREY_16)
    write_png(tmp_path / "in/1.png", np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(UsageError, match=r"1\.png cannot be written: JPEG cannot store 16-bit values \(in 0\.png\)"):
        check_formats(tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out"), TO_JPEG)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n\0\0"])
def test_unreadable_header_is_left_to_its_task(tmp_path, content):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_bytes(content)
    (tmp_path / "in" / "gone.png").symlink_to("nowhere")
    check_formats(tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out"), TO_JPEG)


@pytest.mark.parametrize("own_process", [False, True])
def test_nothing_is_refused_unless_all_headers_were_read(tmp_path, own_process):
    """Images that are not reached in time are checked by their own tasks, and so are all others then."""
    for number in range(5):
        write_png(tmp_path / f"in/{number}.png", GREY_16)
    tasks = tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out")
    check_formats(tasks, TO_JPEG, HeaderReading(seconds=-1.0, own_process=own_process))
    with pytest.raises(UsageError):
        check_formats(tasks, TO_JPEG, HeaderReading(seconds=None, own_process=own_process))


def test_header_that_takes_too_much_memory_is_left_to_its_task(tmp_path, monkeypatch):
    def properties(*_):
        raise MemoryError

    write_png(tmp_path / "in/deep.png", GREY_16)
    monkeypatch.setattr(type(PNG), "properties", properties)
    check_formats(tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out"), TO_JPEG, HeaderReading(own_process=True))


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_image_that_was_not_checked_fails_alone(tmp_path, monkeypatch, engine):
    monkeypatch.setattr("imgpool.batch.plan.PLANNING_SECONDS", -1.0)
    write_png(tmp_path / "in/deep.png", GREY_16)
    write_png(tmp_path / "in/flat.png", GREY_8)
    settings = RunSettings((str(tmp_path / "in"),), TO_JPEG, str(tmp_path / "out"), engine=engine)
    by_name = {os.path.basename(result.task.source): result for result in Runner(make_plan(settings)).results()}
    assert by_name["flat.png"].status == "done"
    assert "16-bit" in by_name["deep.png"].failure.message
    assert "rescale_intensity:out=uint8" in by_name["deep.png"].failure.hint
    with pytest.raises(UsageError):  # a dry run reads all headers
        make_plan(settings, all_headers=True)


def test_headers_are_not_read_if_nothing_can_be_refused(tmp_path, monkeypatch):
    write_png(tmp_path / "in/a.png", GREY_16)
    read = []
    monkeypatch.setattr("imgpool.batch.format_check.read_headers", lambda tasks, *_: read.append(list(tasks)))
    tasks = tasks_for(tmp_path / "in", KEEP, tmp_path / "out")
    check_formats(tasks, Recipe.from_specs(["gaussian"]))
    assert read in ([], [[]])
    to_jpeg = tasks_for(tmp_path / "in", TO_JPEG, tmp_path / "out")
    check_formats(to_jpeg, TO_JPEG)
    assert read.pop() == to_jpeg
