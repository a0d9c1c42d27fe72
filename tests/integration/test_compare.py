"""``imgpool compare``: serial and pool on the same images."""

import shutil
import signal

import pytest

from tests.support.hashes import output_hashes
from tests.support.runs import POISON, Running, command, seconds_until

NAMES = ("icon.png", "pollen.jpg", "nuclei.tif", "still_life.webp")

UNSTABLE_FILTER = '''
import os
from imgpool.core.filter import image_filter
from imgpool.core.image import Image

@image_filter(tiles="exact")
def unstable(image: Image) -> Image:
    """Return a different result in every process."""
    return Image((image.pixels + os.getpid() % 199 + 1).astype(image.pixels.dtype), image.axes)
'''


@pytest.fixture
def photos(sample_images, tmp_path):
    """Some images in a folder of their own, with nothing beside it."""
    folder = tmp_path / "here" / "photos"
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copy(sample_images / name, folder)
    return folder


def all_bytes(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def beside(photos):
    return sorted(path.name for path in photos.parent.iterdir())


def test_json_has_all_figures_and_nothing_is_left_behind(imgpool, photos):
    before = all_bytes(photos)
    done = imgpool("compare", photos, "-r", "thumbnail", "-j", 2, "--json")
    assert done.code == 0, done.stderr
    reported = done.json
    assert (reported["same"], reported["found"], reported["sample"]) == (True, 4, 4)
    assert (reported["failures"], reported["differences"], reported["left_out"]) == ([], [], [])
    for each in (*reported["workers"], *reported["chunksizes"]):
        assert sum(stage["seconds"] for stage in each["stages"]) == pytest.approx(
            each["workers"] * each["seconds"], abs=0.01
        )
    assert [each["workers"] for each in reported["workers"]] == [1, 1, 2]
    assert {each["method"] for each in reported["methods"]} == {"map", "imap", "imap_unordered", "apply_async"}
    assert all(each["seconds"] for each in reported["methods"])
    assert reported["workers"][-1]["peak_bytes"] > 10_000_000
    assert reported["bound"]["by"] in {"start", "memory", "tail", "disk", "dispatch", "cpu"}
    assert beside(photos) == ["photos"]
    assert all_bytes(photos) == before


def test_tables_are_printed_and_a_plot_is_written(imgpool, photos, tmp_path):
    pytest.importorskip("matplotlib")
    sample = ("--sample", 2, "-j", 2, "-v")
    done = imgpool("compare", photos, "-f", "gaussian:sigma=1", *sample, "--plot", tmp_path / "curves.png")
    assert done.code == 0, done.stderr
    for title in ("Workers", "Time of all workers", "Chunk sizes", "Methods of", "Summary"):
        assert f"\n{title}" in done.stdout
    assert "2 images: identical results in all" in done.stdout
    assert "  Pool.map · " in done.stderr
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert beside(photos) == ["photos"]


def test_results_are_kept_in_the_given_folder(imgpool, photos, tmp_path):
    kept = tmp_path / "kept"
    done = imgpool("compare", photos, "-f", "invert", "--all", "-j", 1, "-o", kept, "--json")
    assert (done.code, done.json["sample"]) == (0, 4)
    found = [output_hashes(folder) for folder in kept.iterdir()]
    assert len(found) == done.json["runs"]
    assert all(each == found[0] for each in found)
    assert list(found[0]) == sorted(NAMES)
    again = imgpool("compare", photos, "-f", "invert", "-o", kept)
    assert again.code == 2
    assert "is not empty" in again.stderr


def test_failing_images_are_named_but_are_no_difference(imgpool, photos, broken_images):
    shutil.copy(broken_images / "truncated.jpg", photos)
    (photos / "bad.poison").write_text("exit 9")
    environment = {"PYTHONPATH": str(POISON)}
    done = imgpool("compare", photos, "-f", "invert", "--all", "-j", 1, env=environment)
    assert done.code == 0, done.stderr
    assert "✓ 5 images: identical results" in done.stdout
    assert "✗ truncated.jpg · read · " in done.stdout
    assert (
        "1 image excluded, which would end or block a serial run; the pool survives this:\n✗ bad.poison · worker"
        in done.stdout
    )
    assert beside(photos) == ["photos"]


def test_images_with_different_results_are_named(imgpool, photos, tmp_path):
    plugin = tmp_path / "plugin"
    (plugin / "unstable-1.0.dist-info").mkdir(parents=True)
    (plugin / "unstable-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: unstable\nVersion: 1.0\n")
    (plugin / "unstable-1.0.dist-info" / "entry_points.txt").write_text(
        "[imgpool.filters]\nunstable = unstable_filter:unstable\n"
    )
    (plugin / "unstable_filter.py").write_text(UNSTABLE_FILTER)
    options = ("--to", "npy", "--sample", 1, "-j", 1)
    done = imgpool("compare", photos / "icon.png", "-f", "unstable", *options, env={"PYTHONPATH": str(plugin)})
    assert done.code == 1, done.stderr
    assert "icon.png · 1 worker · different bytes" in done.stdout
    assert "✗ 1 of 1 image: different results in" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_behind(photos, tmp_path, number):
    for index in range(20):
        (photos / f"{index}.poison").write_text("nap 1")
    words = ("compare", photos, "-f", "invert", "--all", "-j", "2")
    running = Running(command(*words), tmp_path, PYTHONPATH=str(POISON))
    try:
        assert running.until(lambda: any(path.suffix for path in photos.parent.glob("photos-compare-*/01-*/*")))
        running.send(number, group=True)
        done = running.wait()
        assert done.code == 128 + number, done.stderr
        assert done.stdout == ""
        assert beside(photos) == ["photos"]
        assert seconds_until(lambda: not running.processes(), 10) is not None
    finally:
        running.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sample", "2", "--all"], "both given"),
        (["--sample", "0"], "--sample must be an integer from 1, not 0"),
        (["-j", "none"], "must be an integer from 1"),
        (["-f", "gausian"], "no filter is called 'gausian'"),
        (["--rounds", "two"], "--rounds must be an integer from 1, not two"),
        (["--plot", "curves.tar"], "cannot write this format"),
        (["-o", "photos/inside"], "lies inside the input"),
    ],
)
def test_bad_usage_starts_nothing(imgpool, photos, words, message):
    done = imgpool("compare", "photos", *words, cwd=photos.parent)
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr
    assert beside(photos) == ["photos"]


def test_no_image_is_bad_usage(imgpool, tmp_path):
    (tmp_path / "empty").mkdir()
    done = imgpool("compare", tmp_path / "empty")
    assert done.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
