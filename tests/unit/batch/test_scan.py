"""Which files are images, and what is left out and why."""

import os
import socket
from pathlib import Path

import pytest

from imgpool.batch.scan import scan
from imgpool.core.errors import UsageError
from imgpool.output.layout import file_id
from tests.support.small_runs import close_folder


@pytest.fixture
def folder(tmp_path):
    """An input folder; the output lies beside it."""
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


def test_walks_the_whole_tree_in_order_and_counts_what_is_no_image(folder):
    fill(folder, "b.png", "B.PNG", "a/z.jpg", "a/b/c.tif", "notes.txt", "a/table.csv", "png", "a.png.txt")
    images, report = walk(folder)
    names = ["B.PNG", "a/b/c.tif", "a/z.jpg", "b.png"]
    assert [image.relative for image in images] == names
    assert [image.source for image in images] == [str(folder / name) for name in names]
    assert report.other_files == 4
    assert (report.excluded, report.unreadable) == ((), ())


def test_tells_where_the_input_folders_led(folder, tmp_path):
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


def test_tells_links_from_files(folder, tmp_path):
    fill(tmp_path / "more", "2.png", "3.png")
    fill(folder, "1.png")
    (folder / "2.png").symlink_to(tmp_path / "more/2.png")
    (tmp_path / "named.png").symlink_to(tmp_path / "more/3.png")
    images, report = walk(folder, tmp_path / "named.png")
    assert [os.path.basename(image.source) for image in images] == ["named.png", "1.png", "2.png"]
    assert report.links == {str(tmp_path / "named.png"), str(folder / "2.png")}


def test_tells_size_and_time_of_every_image(folder):
    fill(folder, "a.png")
    os.utime(folder / "a.png", ns=(1, 1_700_000_000_123_456_789))
    ((image,), _) = walk(folder)
    assert (image.size, image.mtime_ns) == (5, 1_700_000_000_123_456_789)


def test_passes_over_hidden_files_and_what_systems_leave_behind(folder):
    fill(folder, "a.png", "._a.png", ".a.png", ".cache/b.png", ".imgpool-1-1.png")
    fill(folder, "__MACOSX/c.png", "@eaDir/d.png", "$RECYCLE.BIN/e.png", "deep/System Volume Information/f.png")
    found = walk(folder)
    assert relatives(found) == ["a.png"]
    assert found[1].other_files == 0


def test_a_hidden_folder_that_is_named_itself_is_walked(tmp_path):
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
def test_odd_names_are_names(folder, name):
    fill(folder, name)
    assert relatives(walk(folder)) == [name]


def test_pipes_sockets_and_devices_are_left_out_by_kind(folder, monkeypatch):
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


def test_a_broken_link_is_kept_so_that_reading_it_tells(folder):
    (folder / "a.png").symlink_to("nowhere.png")
    ((image,), _) = walk(folder)
    assert (image.relative, image.size) == ("a.png", 0)


def test_a_link_to_itself_does_not_end_the_walk(folder):
    """Asking such an entry whether it is a folder raises (ELOOP), which os.walk hides and os.scandir does not."""
    fill(folder, "a.png", "b/c.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "loop").symlink_to("loop")
    found = walk(folder)
    assert {"a.png", "b/c.png"} <= set(relatives(found))
    assert "loop.png" in relatives(found) + [path for path, _ in found[1].unreadable + found[1].excluded]


def test_a_loop_of_links_is_visited_once(folder):
    fill(folder, "a.png", "sub/b.png")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "here").symlink_to(".")
    assert relatives(walk(folder)) == ["a.png", "sub/b.png"]


def test_linked_folders_are_walked_once_each(folder, tmp_path):
    fill(tmp_path / "elsewhere", "deep/a.png")
    (folder / "first").symlink_to(tmp_path / "elsewhere")
    (folder / "second").symlink_to(tmp_path / "elsewhere")
    assert relatives(walk(folder)) == ["first/deep/a.png"]


def test_the_real_place_is_preferred_over_a_link_to_it(folder):
    fill(folder, "z/real/a.png")
    (folder / "a").symlink_to(folder / "z" / "real")
    assert relatives(walk(folder)) == ["z/real/a.png"]


def test_the_real_place_is_preferred_also_where_it_is_another_input(tmp_path):
    fill(tmp_path / "a", "1.png")
    fill(tmp_path / "b", "2.png")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    expected = ["a/1.png", "b/2.png"]
    assert relatives(walk(tmp_path / "a", tmp_path / "b")) == expected
    assert relatives(walk(tmp_path / "b", tmp_path / "a", output=tmp_path / "out")) == expected


def test_the_output_is_passed_over_also_through_links(folder, tmp_path):
    output = tmp_path / "out"
    fill(output, "done.png")
    fill(folder, "a.png")
    (folder / "results").symlink_to(output)
    (tmp_path / "alias").symlink_to(output)
    assert relatives(walk(folder, output=output)) == ["a.png"]
    assert relatives(walk(folder, output=tmp_path / "alias")) == ["a.png"]
    (folder / "all").symlink_to(tmp_path)
    assert relatives(walk(folder, output=output)) == ["a.png"]


def test_an_input_inside_the_output_is_walked(tmp_path):
    fill(tmp_path / "out" / "raw", "a.png")
    assert relatives(walk(tmp_path / "out" / "raw", output=tmp_path / "out")) == ["a.png"]


def test_a_folder_that_cannot_be_listed_is_told_and_its_neighbours_are_walked(folder, monkeypatch):
    fill(folder, "a/1.png", "locked/2.png", "z/3.png")
    close_folder(monkeypatch, "locked")
    found = walk(folder)
    assert relatives(found) == ["a/1.png", "z/3.png"]
    assert [(path, type(error)) for path, error in found[1].unreadable] == [(str(folder / "locked"), PermissionError)]


def test_several_inputs_keep_their_own_names_in_front(tmp_path):
    fill(tmp_path, "monday/a.png", "tuesday/a.png", "single.png")
    found = walk(tmp_path / "tuesday", tmp_path / "monday", tmp_path / "single.png")
    assert relatives(found) == ["monday/a.png", "single.png", "tuesday/a.png"]


def test_one_file_is_an_input(folder):
    fill(folder, "._a.png")
    assert relatives(walk(folder / "._a.png")) == ["._a.png"]


def test_the_same_input_twice_counts_once(folder, monkeypatch):
    fill(folder, "a.png")
    monkeypatch.chdir(folder)
    assert relatives(walk(folder, f"{folder}/", ".", output="/out")) == ["a.png"]
    assert relatives(walk("a.png", "./a.png", folder / "a.png", output="/out")) == ["a.png"]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("inner", ["b", "b/1.png"])
def test_overlapping_inputs_process_nothing_twice(tmp_path, inner, order):
    fill(tmp_path / "a", "b/1.png", "2.png")
    inputs = [tmp_path / "a", tmp_path / "a" / inner][::order]
    found = walk(*inputs, output=tmp_path / "out")
    assert [image.source for image in found[0]] == [str(tmp_path / "a/2.png"), str(tmp_path / "a/b/1.png")]


def test_an_input_and_a_link_to_it_process_nothing_twice(tmp_path):
    fill(tmp_path / "a", "1.png")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert len(walk(tmp_path / "a", tmp_path / "link")[0]) == 1


def test_a_missing_input_is_refused_by_name(tmp_path):
    with pytest.raises(UsageError, match=r"photo does not exist"):
        walk(tmp_path / "photo")


def test_a_file_that_is_no_image_is_refused_by_name(folder):
    fill(folder, "notes.txt")
    with pytest.raises(UsageError, match=r"notes\.txt is not a supported image"):
        walk(folder / "notes.txt")


def test_an_empty_name_is_not_the_current_folder(folder, monkeypatch):
    """`imgpool process "$PHOTOS"` with PHOTOS unset must not process whatever folder one stands in."""
    fill(folder, "a.png")
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError):
        walk("", output="/out")


def test_results_of_other_runs_are_left_out_and_named_unless_they_are_the_input(tmp_path):
    results = tmp_path / "photos" / "old-processed"
    (results / ".imgpool").mkdir(parents=True)
    (results / "a.png").touch()
    (tmp_path / "photos" / "b.png").touch()
    found = scan([tmp_path / "photos"], str(tmp_path / "out"))
    assert [os.path.basename(image.source) for image in found[0]] == ["b.png"]
    assert found[1].excluded == ((str(results), "results of another imgpool run"),)
    assert [os.path.basename(image.source) for image in scan([results], str(tmp_path / "out"))[0]] == ["a.png"]
