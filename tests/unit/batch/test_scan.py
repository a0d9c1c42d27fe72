"""The scan finds every image once, and reports what it ignores."""

import os
import socket
from pathlib import Path

import pytest

from imgpool.batch.scan import scan
from imgpool.core.errors import UsageError
from imgpool.output.layout import file_id
from tests.support.permissions import unreadable


@pytest.fixture
def folder(tmp_path):
    """An input folder; the output is beside it."""
    inside = tmp_path / "photos"
    inside.mkdir()
    return inside


def fill(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode(errors="surrogateescape"))


def walk(*inputs, output=None):
    return scan(inputs, str(output or f"{inputs[0]}-processed"))


def relatives(scanned):
    images, _ = scanned
    return [image.relative for image in images]


def test_images_are_sorted_and_other_files_counted(folder):
    fill(folder, "b.png", "B.PNG", "a/z.jpg", "a/b/c.tif", "notes.txt", "a/table.csv", "png", "a.png.txt")
    images, report = walk(folder)
    names = ["B.PNG", "a/b/c.tif", "a/z.jpg", "b.png"]
    assert [image.relative for image in images] == names
    assert [image.source for image in images] == [str(folder / name) for name in names]
    assert report.other_files == 4
    assert (report.excluded, report.unreadable) == ((), ())


def test_input_folders_are_identified(folder, tmp_path):
    fill(folder, "a/1.png")
    fill(tmp_path / "more", "2.png")
    (tmp_path / "link").symlink_to(tmp_path / "more")
    folders = walk(folder, folder / "a", tmp_path / "link")[1].folders
    assert folders == {
        str(folder): file_id(str(folder)),
        str(folder / "a"): file_id(str(folder / "a")),
        str(tmp_path / "link"): file_id(str(tmp_path / "more")),
    }
    assert file_id(str(tmp_path / "absent")) is None


def test_links_are_reported(folder, tmp_path):
    fill(tmp_path / "more", "2.png", "3.png")
    fill(folder, "1.png")
    (folder / "2.png").symlink_to(tmp_path / "more/2.png")
    (tmp_path / "named.png").symlink_to(tmp_path / "more/3.png")
    images, report = walk(folder, tmp_path / "named.png")
    assert [os.path.basename(image.source) for image in images] == ["named.png", "1.png", "2.png"]
    assert report.links == {str(tmp_path / "named.png"), str(folder / "2.png")}


def test_size_and_modification_time_are_recorded(folder):
    fill(folder, "a.png")
    os.utime(folder / "a.png", ns=(1, 1_700_000_000_123_456_789))
    ((image,), _) = walk(folder)
    assert (image.size, image.mtime_ns) == (5, 1_700_000_000_123_456_789)


def test_hidden_files_and_system_folders_are_ignored(folder):
    fill(folder, "a.png", "._a.png", ".a.png", ".cache/b.png", ".imgpool-1-1.png")
    fill(folder, "__MACOSX/c.png", "@eaDir/d.png", "$RECYCLE.BIN/e.png", "deep/System Volume Information/f.png")
    found = walk(folder)
    assert relatives(found) == ["a.png"]
    assert found[1].other_files == 0


def test_hidden_folder_given_as_input_is_scanned(tmp_path):
    fill(tmp_path / ".scans", "a.png")
    assert relatives(walk(tmp_path / ".scans")) == ["a.png"]


@pytest.mark.parametrize(
    "name",
    [
        "new\nline.png",
        "-leading dash.png",
        "emoji 🔬.png",
        "x" * 240 + ".png",
        "\udcff not utf-8.png",
        " .png",
        "a\tb.png",
    ],
)
def test_odd_names_are_accepted(folder, name):
    fill(folder, name)
    assert relatives(walk(folder)) == [name]


def test_pipes_sockets_and_devices_are_excluded(folder, monkeypatch):
    monkeypatch.chdir(folder)  # a socket's path is short
    fill(folder, "a.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        found = walk(folder)
    assert relatives(found) == ["a.png"]
    assert sorted(found[1].excluded) == [
        (str(folder / "pipe.png"), "a named pipe"),
        (str(folder / "socket.png"), "a socket"),
        (str(folder / "zero.png"), "a device"),
    ]


def test_broken_link_is_kept_as_an_image(folder):
    (folder / "a.png").symlink_to("nowhere.png")
    ((image,), _) = walk(folder)
    assert (image.relative, image.size) == ("a.png", 0)


def test_link_to_itself_does_not_end_the_scan(folder):
    """DirEntry.is_dir raises for such a link (ELOOP), which os.walk hides and os.scandir does not."""
    fill(folder, "a.png", "b/c.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "loop").symlink_to("loop")
    found = walk(folder)
    assert {"a.png", "b/c.png"} <= set(relatives(found))
    assert "loop.png" in relatives(found) + [path for path, _ in found[1].unreadable + found[1].excluded]


def test_loop_of_links_is_visited_once(folder):
    fill(folder, "a.png", "sub/b.png")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "here").symlink_to(".")
    assert relatives(walk(folder)) == ["a.png", "sub/b.png"]


def test_folder_linked_twice_is_scanned_once(folder, tmp_path):
    fill(tmp_path / "elsewhere", "deep/a.png")
    (folder / "first").symlink_to(tmp_path / "elsewhere")
    (folder / "second").symlink_to(tmp_path / "elsewhere")
    assert relatives(walk(folder)) == ["first/deep/a.png"]


def test_real_path_is_preferred_over_a_link(folder):
    fill(folder, "z/real/a.png")
    (folder / "a").symlink_to(folder / "z" / "real")
    assert relatives(walk(folder)) == ["z/real/a.png"]


def test_real_path_is_preferred_in_another_input_too(tmp_path):
    fill(tmp_path / "a", "1.png")
    fill(tmp_path / "b", "2.png")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    expected = ["a/1.png", "b/2.png"]
    assert relatives(walk(tmp_path / "a", tmp_path / "b")) == expected
    assert relatives(walk(tmp_path / "b", tmp_path / "a", output=tmp_path / "out")) == expected


def test_output_is_ignored_even_through_links(folder, tmp_path):
    output = tmp_path / "out"
    fill(output, "done.png")
    fill(folder, "a.png")
    (folder / "results").symlink_to(output)
    (tmp_path / "alias").symlink_to(output)
    assert relatives(walk(folder, output=output)) == ["a.png"]
    assert relatives(walk(folder, output=tmp_path / "alias")) == ["a.png"]
    (folder / "all").symlink_to(tmp_path)
    assert relatives(walk(folder, output=output)) == ["a.png"]


def test_input_inside_the_output_is_scanned(tmp_path):
    fill(tmp_path / "out" / "raw", "a.png")
    assert relatives(walk(tmp_path / "out" / "raw", output=tmp_path / "out")) == ["a.png"]


def test_unreadable_folder_is_reported_and_others_scanned(folder):
    fill(folder, "a/1.png", "locked/2.png", "z/3.png")
    with unreadable(folder / "locked"):
        found = walk(folder)
    assert relatives(found) == ["a/1.png", "z/3.png"]
    assert [(path, type(error)) for path, error in found[1].unreadable] == [(str(folder / "locked"), PermissionError)]


def test_relative_paths_of_several_inputs_start_with_their_names(tmp_path):
    fill(tmp_path, "monday/a.png", "tuesday/a.png", "single.png")
    found = walk(tmp_path / "tuesday", tmp_path / "monday", tmp_path / "single.png")
    assert relatives(found) == ["monday/a.png", "single.png", "tuesday/a.png"]


def test_single_file_is_an_input(folder):
    fill(folder, "._a.png")
    assert relatives(walk(folder / "._a.png")) == ["._a.png"]


def test_same_input_twice_counts_once(folder, monkeypatch):
    fill(folder, "a.png")
    monkeypatch.chdir(folder)
    assert relatives(walk(folder, f"{folder}/", ".", output="/out")) == ["a.png"]
    assert relatives(walk("a.png", "./a.png", folder / "a.png", output="/out")) == ["a.png"]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("inner", ["b", "b/1.png"])
def test_overlapping_inputs_count_each_image_once(tmp_path, inner, order):
    fill(tmp_path / "a", "b/1.png", "2.png")
    inputs = [tmp_path / "a", tmp_path / "a" / inner][::order]
    found = walk(*inputs, output=tmp_path / "out")
    assert [image.source for image in found[0]] == [str(tmp_path / "a/2.png"), str(tmp_path / "a/b/1.png")]


def test_input_and_a_link_to_it_count_once(tmp_path):
    fill(tmp_path / "a", "1.png")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert len(walk(tmp_path / "a", tmp_path / "link")[0]) == 1


def test_missing_input_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match=r"photo does not exist"):
        walk(tmp_path / "photo")


def test_file_that_is_not_an_image_is_refused_by_name(folder):
    fill(folder, "notes.txt")
    with pytest.raises(UsageError, match=r"notes\.txt is not a supported image"):
        walk(folder / "notes.txt")


def test_empty_name_is_refused(folder, monkeypatch):
    """`imgpool process "$PHOTOS"` with PHOTOS unset must not process the current folder."""
    fill(folder, "a.png")
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError):
        walk("", output="/out")


def test_outputs_of_runs_are_excluded_unless_given_as_input(tmp_path):
    results = tmp_path / "photos" / "old-processed"
    (results / ".imgpool").mkdir(parents=True)
    (results / "a.png").touch()
    (tmp_path / "photos" / "b.png").touch()
    found = scan([tmp_path / "photos"], str(tmp_path / "out"))
    assert [os.path.basename(image.source) for image in found[0]] == ["b.png"]
    assert found[1].excluded == ((str(results), "results of another imgpool run"),)
    assert [os.path.basename(image.source) for image in scan([results], str(tmp_path / "out"))[0]] == ["a.png"]
