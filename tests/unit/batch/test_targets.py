"""Where each result goes, and what is refused before anything starts."""

import os

import imagecodecs
import numpy as np
import pytest

from imgpool.batch.scan import ImageFile, scan
from imgpool.batch.targets import check_not_foreign, check_output, make_tasks, target_name
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import UsageError
from imgpool.core.recipe import Output, Recipe
from imgpool.core.task import Task
from imgpool.output.layout import default_output

KEEP = Recipe("keep")
TO_PNG = KEEP.with_output(Output.parse("png"))
TO_JPEG = KEEP.with_output(Output.parse("jpeg"))
GREY_8 = np.arange(64, dtype=np.uint8).reshape(8, 8)
GREY_16 = GREY_8.astype(np.uint16) * 1000


def found(*relatives, folder="/photos"):
    return [ImageFile(os.path.join(folder, relative), len(folder) + 1, 10, 20) for relative in relatives]


def targets(images, recipe=KEEP, output="/out"):
    return [task.target for task in make_tasks(images, output, recipe)]


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(pixels))
    return path


def tasks_for(folder, recipe, output):
    return make_tasks(scan([folder], str(output))[0], str(output), recipe)


def test_the_tree_is_mirrored_and_every_task_knows_its_source():
    tasks = make_tasks(found("a/b/c.tif", "d.png"), "/out", KEEP)
    assert tasks == [
        Task("/photos/a/b/c.tif", "/out/a/b/c.tif", 10, 20),
        Task("/photos/d.png", "/out/d.png", 10, 20),
    ]


def test_another_format_changes_the_extension_and_its_own_keeps_the_name():
    images = found("a/b.tif", "c.JPEG", "d.e.bmp", "f.PNG", "-g\n\udcff.gif")
    assert targets(images, TO_PNG) == [
        "/out/a/b.png",
        "/out/c.png",
        "/out/d.e.png",
        "/out/f.PNG",
        "/out/-g\n\udcff.png",
    ]
    assert target_name("c.JPEG", FORMATS["jpeg"]) == "c.JPEG"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.tif", "a.png"),
        ("a.jpg", "a.jpeg"),
        ("x/a.tif", "x/a.bmp"),
    ],
)
def test_two_images_that_would_become_one_file_are_refused_with_both_names(first, second):
    with pytest.raises(UsageError) as caught:
        targets(found(first, second), TO_PNG)
    for name in (f"/photos/{first}", f"/photos/{second}", "/out/"):
        assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.png", "A.png"),
        ("a.png", "a.PNG"),
        ("Trip/a.png", "trip/A.png"),
        ("straße.png", "STRASSE.png"),
        ("caf\u00e9.png", "cafe\u0301.png"),
        ("CAF\u00c9.png", "cafe\u0301.png"),
        ("\u03aa\u0301.png", "\u0390.png"),  # one letter as capital and small: equal only when folded, then composed
    ],
)
def test_names_that_some_file_systems_do_not_tell_apart_are_refused(first, second):
    with pytest.raises(UsageError) as caught:
        targets(found(first, second))
    assert caught.value.hint


def test_the_same_name_in_different_folders_is_fine():
    assert len(targets(found("a/1.png", "b/1.png", "a/b/1.png"))) == 3


def test_a_target_that_is_another_targets_folder_is_refused():
    """a.png becomes a.jpg, and the folder a.jpg is there too: one of them could never be written."""
    with pytest.raises(UsageError) as caught:
        targets(found("a.png", "a.jpg/b.png"), TO_JPEG)
    assert "a.jpg" in caught.value.message


def test_default_output_stands_beside_the_first_input(tmp_path, monkeypatch):
    (tmp_path / "photos" / "trip").mkdir(parents=True)
    (tmp_path / "photos" / "a.b.png").touch()
    photos = str(tmp_path / "photos")
    assert default_output(photos) == f"{photos}-processed"
    assert default_output(f"{photos}/") == f"{photos}-processed"
    assert default_output(f"{photos}/trip/..") == f"{photos}-processed"
    assert default_output(f"{photos}/a.b.png") == f"{photos}/a.b-processed"
    monkeypatch.chdir(photos)
    assert default_output(".") == f"{photos}-processed"
    assert default_output("trip") == f"{photos}/trip-processed"
    assert default_output("a.b.png") == f"{photos}/a.b-processed"
    monkeypatch.chdir(tmp_path / "photos" / "trip")
    assert default_output("..") == f"{photos}-processed"


def test_the_default_output_of_a_folder_is_never_inside_it(tmp_path):
    (tmp_path / "photos").mkdir()
    check_output(default_output(tmp_path / "photos"), [tmp_path / "photos"])


@pytest.mark.parametrize(
    "output", ["photos", "photos/", "photos/out", "photos/a/b", "alias/out", "alias", "away/../photos/x"]
)
def test_an_output_inside_an_input_is_refused_also_through_a_link(tmp_path, output):
    (tmp_path / "photos").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "alias").symlink_to("photos")
    for given in ("photos", "alias"):
        with pytest.raises(UsageError, match="lies inside the input") as caught:
            check_output(str(tmp_path / output), [tmp_path / given])
        assert "`output`" in caught.value.hint


def test_an_output_inside_the_second_input_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="lies inside the input"):
        check_output(str(tmp_path / "b/out"), [tmp_path / "a", tmp_path / "b"])


def test_an_output_that_only_begins_like_the_input_is_fine(tmp_path):
    (tmp_path / "photos").mkdir()
    check_output(str(tmp_path / "photos-2"), [tmp_path / "photos"])


def test_an_output_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    for name in ("file", "broken"):
        with pytest.raises(UsageError, match=name):
            check_output(str(tmp_path / name), [tmp_path / "photos"])


def test_an_image_beside_its_result_is_not_overwritten(tmp_path):
    source = write_png(tmp_path / "a.png", GREY_8)
    images = scan([source], str(tmp_path))[0]
    with pytest.raises(UsageError, match="would replace an input"):
        make_tasks(images, str(tmp_path), KEEP)
    assert targets(images, TO_JPEG, str(tmp_path)) == [str(tmp_path / "a.jpg")]


def test_an_input_inside_the_output_is_never_overwritten(tmp_path):
    write_png(tmp_path / "out/raw/a.png", GREY_8)
    write_png(tmp_path / "more/b.png", GREY_8)
    output = str(tmp_path / "out")
    images = scan([tmp_path / "out/raw", tmp_path / "more"], output)[0]
    with pytest.raises(UsageError, match="would replace an input"):
        make_tasks(images, output, KEEP)
    alone = scan([tmp_path / "out/raw"], output)[0]
    assert targets(alone, KEEP, output) == [str(tmp_path / "out/a.png")]


def test_a_link_in_the_output_that_leads_to_the_input_does_not_overwrite_it(tmp_path):
    write_png(tmp_path / "photos/trip/a.png", GREY_8)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trip").symlink_to(tmp_path / "photos" / "trip")
    with pytest.raises(UsageError, match="would replace an input"):
        tasks_for(tmp_path / "photos", KEEP, tmp_path / "out")


@pytest.mark.parametrize("input_is_link", [True, False])
def test_a_link_from_input_to_output_or_back_does_not_overwrite_what_it_leads_to(tmp_path, input_is_link):
    ends = [tmp_path / "photos/trip/a.png", tmp_path / "out/trip/a.png"]
    link, file = ends if input_is_link else ends[::-1]
    write_png(file, GREY_8)
    link.parent.mkdir(parents=True)
    link.symlink_to(file)
    with pytest.raises(UsageError, match="would replace an input"):
        tasks_for(tmp_path / "photos", KEEP, tmp_path / "out")


def test_links_that_lead_elsewhere_are_in_nobodys_way(tmp_path):
    write_png(tmp_path / "photos/a.png", GREY_8)
    write_png(tmp_path / "elsewhere/b.png", GREY_8)
    (tmp_path / "photos/b.png").symlink_to(tmp_path / "elsewhere/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/other").symlink_to(tmp_path / "photos/a.png")
    tasks = tasks_for(tmp_path / "photos", KEEP, tmp_path / "out")
    assert [task.target for task in tasks] == [str(tmp_path / "out" / name) for name in ("a.png", "b.png")]


def test_a_file_that_no_run_can_have_left_is_refused_by_name(tmp_path):
    one, two = make_tasks(found("a/1.png", "b.png"), str(tmp_path), KEEP)
    for task in (one, two):
        check_not_foreign(task, None)
    (tmp_path / "b.png").write_bytes(b"precious")
    written = (tmp_path / "b.png").stat().st_mtime_ns
    check_not_foreign(one, None)
    check_not_foreign(two, written)
    for since in (None, written + 1):
        with pytest.raises(UsageError, match=r"b\.png exists") as caught:
            check_not_foreign(two, since)
        assert "`output`" in caught.value.hint


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("nowhere")])
def test_what_imgpool_never_makes_is_never_taken_for_the_output_of_a_killed_run(tmp_path, make):
    (task,) = make_tasks(found("b.png"), str(tmp_path), KEEP)
    make(tmp_path / "b.png")
    with pytest.raises(UsageError, match=r"b\.png exists"):
        check_not_foreign(task, 0)
