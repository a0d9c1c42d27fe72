"""Targets mirror the inputs; targets that collide or would replace a file are refused."""

import ntpath
import os

import imagecodecs
import numpy as np
import pytest

from imgpool.batch.scan import ImageFile, scan
from imgpool.batch.targets import check_output, check_targets, make_tasks, target_name
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import UsageError
from imgpool.core.recipe import Output, Recipe
from imgpool.core.task import Task
from imgpool.output.layout import default_output
from imgpool.system.paths import fold

KEEP = Recipe("keep")
TO_PNG = KEEP.with_output(Output.parse("png"))
TO_JPEG = KEEP.with_output(Output.parse("jpeg"))
GREY_8 = np.arange(64, dtype=np.uint8).reshape(8, 8)
GREY_16 = GREY_8.astype(np.uint16) * 1000


def image_files(*relatives, folder="/photos"):
    return [ImageFile(os.path.join(folder, relative), len(folder) + 1, 10, 20) for relative in relatives]


def checked_targets(images, recipe=KEEP, output="/out", links=frozenset(), **options):
    tasks = make_tasks(images, output, recipe)
    check_targets(tasks, output, links, **options)
    return [task.target for task in tasks]


def scanned_targets(*inputs, output, recipe=KEEP):
    images, report = scan(inputs, str(output))
    return checked_targets(images, recipe, str(output), report.links)


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(pixels))
    return path


def test_folder_tree_is_mirrored():
    tasks = make_tasks(image_files("a/b/c.tif", "d.png"), "/out", KEEP)
    assert tasks == [
        Task("/photos/a/b/c.tif", "/out/a/b/c.tif", 10, 20),
        Task("/photos/d.png", "/out/d.png", 10, 20),
    ]


def test_only_another_format_changes_the_extension():
    images = image_files("a/b.tif", "c.JPEG", "d.e.bmp", "f.PNG", "-g\n\udcff.gif")
    assert checked_targets(images, TO_PNG) == [
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
def test_equal_targets_are_refused_with_both_sources(first, second):
    with pytest.raises(UsageError) as caught:
        checked_targets(image_files(first, second), TO_PNG)
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
def test_targets_that_differ_only_in_case_are_refused(first, second):
    """Where the file system of the output ignores case and Unicode composition, as on Windows and macOS."""
    with pytest.raises(UsageError, match="the output's file system ignores case") as caught:
        checked_targets(image_files(first, second), fold=fold)
    assert caught.value.hint


def test_targets_that_differ_in_case_are_accepted_on_linux(tmp_path):
    (tmp_path / "entry").touch()
    assert len(checked_targets(image_files("a.png", "A.png"), output=str(tmp_path / "out"))) == 2


@pytest.mark.parametrize("name", ["aux.tif", "trip./1.png", "a:b.png"])
def test_names_that_windows_forbids_are_refused_there(name):
    images = image_files(name, "good.png")
    with pytest.raises(UsageError) as caught:
        checked_targets(images, rules=ntpath)
    assert f"/photos/{name} would become" in caught.value.message
    assert "Windows" in caught.value.message
    assert len(checked_targets(images)) == 2


def test_output_whose_name_windows_forbids_is_refused_there():
    with pytest.raises(UsageError, match="'con' is a reserved name on Windows"):
        check_output("D:\\results\\con", [], ntpath)


def test_input_written_in_another_case_contains_the_output(tmp_path):
    """A file system that ignores case is imitated by a link."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "PHOTOS").symlink_to(tmp_path / "photos")
    with pytest.raises(UsageError, match="lies inside the input"):
        check_output(str(tmp_path / "PHOTOS" / "out"), [tmp_path / "photos"])


def test_equal_names_in_different_folders_are_accepted():
    assert len(checked_targets(image_files("a/1.png", "b/1.png", "a/b/1.png"))) == 3


def test_target_that_is_also_a_folder_of_targets_is_refused():
    """a.png becomes a.jpg, but there is a folder a.jpg too: one of them could not be written."""
    with pytest.raises(UsageError) as caught:
        checked_targets(image_files("a.png", "a.jpg/b.png"), TO_JPEG)
    assert "a.jpg" in caught.value.message


def test_default_output_is_beside_the_first_input(tmp_path, monkeypatch):
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


def test_default_output_of_a_folder_is_not_inside_it(tmp_path):
    (tmp_path / "photos").mkdir()
    check_output(default_output(tmp_path / "photos"), [tmp_path / "photos"])


@pytest.mark.parametrize(
    "output", ["photos", "photos/", "photos/out", "photos/a/b", "alias/out", "alias", "away/../photos/x"]
)
def test_output_inside_an_input_is_refused_even_through_links(tmp_path, output):
    (tmp_path / "photos").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "alias").symlink_to("photos")
    for given in ("photos", "alias"):
        with pytest.raises(UsageError, match=r"lies inside the input|is the input folder itself") as caught:
            check_output(str(tmp_path / output), [tmp_path / given])
        assert "`output`" in caught.value.hint


def test_output_inside_the_second_input_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="lies inside the input"):
        check_output(str(tmp_path / "b/out"), [tmp_path / "a", tmp_path / "b"])


def test_output_whose_name_starts_like_the_input_is_accepted(tmp_path):
    (tmp_path / "photos").mkdir()
    check_output(str(tmp_path / "photos-2"), [tmp_path / "photos"])


def test_output_that_is_not_a_folder_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("nowhere")
    for name in ("file", "broken"):
        with pytest.raises(UsageError, match=name):
            check_output(str(tmp_path / name), [tmp_path / "photos"])


def test_input_in_the_output_folder_is_not_overwritten(tmp_path):
    source = write_png(tmp_path / "a.png", GREY_8)
    with pytest.raises(UsageError, match="would replace an input"):
        scanned_targets(source, output=tmp_path)
    assert scanned_targets(source, output=tmp_path, recipe=TO_JPEG) == [str(tmp_path / "a.jpg")]


def test_input_folder_inside_the_output_is_not_overwritten(tmp_path):
    write_png(tmp_path / "out/raw/a.png", GREY_8)
    write_png(tmp_path / "more/b.png", GREY_8)
    output = tmp_path / "out"
    with pytest.raises(UsageError, match="would replace an input"):
        scanned_targets(tmp_path / "out/raw", tmp_path / "more", output=output)
    assert scanned_targets(tmp_path / "out/raw", output=output) == [str(tmp_path / "out/a.png")]


def test_input_is_not_overwritten_through_a_link_to_its_folder(tmp_path):
    write_png(tmp_path / "photos/trip/a.png", GREY_8)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trip").symlink_to(tmp_path / "photos" / "trip")
    with pytest.raises(UsageError, match="would replace an input"):
        scanned_targets(tmp_path / "photos", output=tmp_path / "out")


@pytest.mark.parametrize("input_is_link", [True, False])
def test_link_between_input_and_target_does_not_overwrite_it(tmp_path, input_is_link):
    ends = [tmp_path / "photos/trip/a.png", tmp_path / "out/trip/a.png"]
    link, file = ends if input_is_link else ends[::-1]
    write_png(file, GREY_8)
    link.parent.mkdir(parents=True)
    link.symlink_to(file)
    with pytest.raises(UsageError, match="would replace an input"):
        scanned_targets(tmp_path / "photos", output=tmp_path / "out")


def test_links_that_lead_elsewhere_are_accepted(tmp_path):
    write_png(tmp_path / "photos/a.png", GREY_8)
    write_png(tmp_path / "elsewhere/b.png", GREY_8)
    (tmp_path / "photos/b.png").symlink_to(tmp_path / "elsewhere/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/other").symlink_to(tmp_path / "photos/a.png")
    targets = scanned_targets(tmp_path / "photos", output=tmp_path / "out")
    assert targets == [str(tmp_path / "out" / name) for name in ("a.png", "b.png")]
