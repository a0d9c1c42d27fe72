"""Processing one file, from its source to its target."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.engine import MemoryNeeded
from imgpool.core.filter import image_filter
from imgpool.core.image import Image, PixelSize
from imgpool.core.recipe import Output, Recipe
from imgpool.core.task import ExistingTarget, Task
from imgpool.formats.png._reader import PngReader
from imgpool.system.rename import Placing
from imgpool.work import writing
from imgpool.work.files import read, size_and_hash, source_hash
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, load_worker_state, process_file

PIXELS = np.random.default_rng(1).integers(0, 8, (40, 50), np.uint8)


@pytest.fixture
def task(tmp_path):
    """A PNG to process into a folder that does not exist yet."""
    source = tmp_path / "in" / "a.png"
    source.parent.mkdir()
    source.write_bytes(imagecodecs.png_encode(PIXELS))
    (tmp_path / "out" / ".imgpool" / "tmp").mkdir(parents=True)
    return planned(source, tmp_path / "out" / "trip" / "a.png")


def planned(source, target):
    status = os.stat(source)
    return Task(str(source), str(target), status.st_size, status.st_mtime_ns)


def worker_state(task, *specs, output_format=None, placing=None, **limits):
    recipe = Recipe.from_specs(specs)
    recipe = recipe.with_output(Output.parse(output_format)) if output_format else recipe
    output = str(Path(task.source).parent.parent / "out")
    destination = Destination(output, str(Path(output, ".imgpool")), "token", Placing("rename", exchange=True))
    return load_worker_state(Job(recipe, str(scratch(task)), replace(destination, **(placing or {})), **limits))


def scratch(task):
    return Path(task.source).parent.parent / "out" / ".imgpool" / "tmp"


def ours(task, written):
    """The same task, knowing that imgpool wrote the file at its target."""
    return replace(task, existing=ExistingTarget({written.sha256: task.source}))


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def assert_failed(result, task, stage):
    """Check that a result failed in this stage, and that nothing was left in the scratch folder."""
    assert result.status == "failed"
    assert result.failure.stage == stage
    assert result.failure.message
    assert result.task == task
    assert os.listdir(scratch(task)) == []


def test_result_describes_the_written_file(task):
    result = process_file(worker_state(task, "gaussian"), task)
    assert (result.status, result.failure, result.task) == ("done", None, task)
    assert np.array_equal(read(task.target).pixels, Recipe.from_specs(["gaussian"]).apply(PIXELS))
    assert (result.shape, result.dtype, result.axes) == ((40, 50), "uint8", "YX")
    assert (result.written, result.sha256) == size_and_hash(task.target)
    assert result.written == os.path.getsize(task.target)
    assert (result.source_hash, result.pid, result.attempt) == (source_hash(task.source), os.getpid(), 1)
    assert list(result.seconds) == ["read", "filter", "write"]
    assert all(seconds >= 0 for seconds in result.seconds.values())
    assert os.listdir(scratch(task)) == []


def test_jobs_and_results_can_be_pickled(task):
    state = worker_state(task, "gaussian")
    assert pickle.loads(pickle.dumps(state.job)) == state.job
    result = process_file(state, task)
    assert pickle.loads(pickle.dumps(result)) == result


def test_output_bytes_are_reproducible(task):
    state = worker_state(task, "gaussian")
    assert process_file(state, task).sha256 == process_file(state, task).sha256


def test_output_settings_are_used(task, tmp_path):
    small = process_file(worker_state(task, output_format="png:level=9"), task)
    large = process_file(worker_state(task, output_format="png:level=0"), ours(task, small))
    assert small.written < large.written
    to_jpeg = replace(task, target=str(tmp_path / "out" / "a.jpg"))
    process_file(worker_state(task, output_format="jpeg"), to_jpeg)
    assert Path(to_jpeg.target).read_bytes()[:2] == b"\xff\xd8"


def test_result_names_metadata_that_was_not_stored(task, tmp_path):
    job = worker_state(task, output_format="gif").job
    physical = replace(job, recipe=job.recipe.with_pixel_size(PixelSize(0.5, 0.5)))
    result = process_file(load_worker_state(physical), replace(task, target=str(tmp_path / "out" / "a.gif")))
    assert result.status == "done"
    assert result.lost == ("pixel_size",)


def test_result_has_the_size_and_time_of_the_bytes_read(task):
    """The journal must describe the bytes that were processed, not those that were planned."""
    stale = replace(task, size=1, mtime_ns=1)
    assert process_file(worker_state(task), stale).task == task


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_bad_file_fails_in_stage_read(task, content):
    Path(task.source).write_bytes(content)
    result = process_file(worker_state(task), task)
    assert_failed(result, task, "read")
    assert result.failure.error == "ReadError"
    assert list(result.seconds) == ["read"]
    assert not os.path.exists(task.target)


def test_truncated_file_fails_in_stage_read(task):
    whole = Path(task.source).read_bytes()
    state = worker_state(task)
    for cut in range(0, len(whole) - 1, 37):
        Path(task.source).write_bytes(whole[:cut])
        assert_failed(process_file(state, task), task, "read")
    assert not os.path.exists(task.target)


def test_missing_file_fails_in_stage_read(task):
    os.unlink(task.source)
    result = process_file(worker_state(task), task)
    assert_failed(result, task, "read")
    assert result.failure.error == "FileNotFoundError"


def test_selecting_a_missing_page_fails_in_stage_filter(task):
    assert_failed(process_file(worker_state(task, "select:z=3"), task), task, "filter")


def test_folder_named_like_an_image_fails_in_stage_read(task):
    os.unlink(task.source)
    os.mkdir(task.source)
    assert_failed(process_file(worker_state(task), task), task, "read")


def test_too_many_pixels_fail_in_stage_read(task):
    result = process_file(worker_state(task, max_pixels=1999), task)
    assert_failed(result, task, "read")
    assert "`max_pixels`" in result.failure.hint
    assert process_file(worker_state(task, max_pixels=2000), task).status == "done"


@pytest.mark.parametrize("change", ["longer", "rewritten", "gone"])
def test_source_that_changes_while_it_is_read_fails(task, monkeypatch, change):
    path = task.source
    read_png = PngReader.read

    def read_and_change(reader, part):
        image = read_png(reader, part)
        if change == "longer":
            Path(path).write_bytes(Path(path).read_bytes() + b"more")
        elif change == "rewritten":
            os.utime(path, ns=(1, 1))
        else:
            os.unlink(path)
        return image

    monkeypatch.setattr(PngReader, "read", read_and_change)
    result = process_file(worker_state(task), task)
    assert_failed(result, task, "read")
    assert not os.path.exists(task.target)
    assert change == "gone" or "changed while it was read" in result.failure.message


def breaks(_image: Image, *, kind: str) -> Image:
    raise {"value": ValueError("x"), "memory": MemoryError(), "recursion": RecursionError("deep")}[kind]


class UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def unreadable(_image: Image) -> Image:
    raise UnreadableError


def gives_nothing(_image: Image) -> Image:
    return None


@pytest.mark.parametrize(
    ("function", "spec", "error"),
    [
        (breaks, "breaks:kind=value", "ValueError"),
        (breaks, "breaks:kind=memory", "MemoryError"),
        (breaks, "breaks:kind=recursion", "RecursionError"),
        (unreadable, "unreadable", "UnreadableError"),
    ],
)
def test_any_exception_of_a_filter_fails_in_stage_filter(task, monkeypatch, function, spec, error):
    monkeypatch.setitem(FILTERS._built_in, function.__name__, image_filter(tiles="no")(function))
    result = process_file(worker_state(task, spec), task)
    assert_failed(result, task, "filter")
    assert result.failure.error == error
    assert error in result.failure.traceback
    assert list(result.seconds) == ["read", "filter"]


def test_filter_that_returns_no_image_fails(task, monkeypatch):
    monkeypatch.setitem(FILTERS._built_in, "gives_nothing", image_filter(tiles="no")(gives_nothing))
    assert process_file(worker_state(task, "gives_nothing"), task).status == "failed"
    assert not os.path.exists(task.target)


def test_length_in_um_without_pixel_size_fails_the_filter(task):
    result = process_file(worker_state(task, "gaussian:sigma=1um"), task)
    assert_failed(result, task, "filter")
    assert "`pixel_size=" in result.failure.hint


def test_task_above_its_memory_limit_raises_memory_needed(task):
    state = worker_state(task, "gaussian")
    with pytest.raises(MemoryNeeded) as raised:
        process_file(state, task, 1000)
    need = raised.value.nbytes
    assert need > 4 * PIXELS.size
    with pytest.raises(MemoryNeeded):
        process_file(state, task, need - 1)
    assert files_below(Path(task.source).parent.parent) == ["in/a.png"]
    assert process_file(state, task, need).status == "done"


def test_output_bytes_do_not_depend_on_the_memory_limit(task):
    state = worker_state(task, "gaussian:sigma=3")
    assert len({process_file(state, task, memory).sha256 for memory in (None, 10**6, 10**12)}) == 1


def test_limits_are_checked_before_memory(task):
    assert process_file(worker_state(task, max_pixels=1999), task, 1).status == "failed"


@pytest.mark.parametrize("error", [MemoryError(), ValueError("OpenCV: (-4:Insufficient memory) Failed to allocate")])
@pytest.mark.parametrize("stage", ["filter", "write"])
def test_out_of_memory_fails_only_without_a_memory_limit(task, monkeypatch, stage, error):
    def starve_filter(*_, **__):
        raise error

    def starve_writer(_format, _image, path, _options):
        Path(path).write_bytes(b"begun")
        raise error

    if stage == "filter":
        monkeypatch.setattr(Recipe, "apply_filters", starve_filter)
    else:
        monkeypatch.setattr(writing, "write_as", starve_writer)
    state = worker_state(task)
    with pytest.raises(MemoryNeeded) as raised:
        process_file(state, task, 10**9)
    assert raised.value.nbytes is None
    assert files_below(Path(task.source).parent.parent) == ["in/a.png"]
    result = process_file(state, task)
    assert_failed(result, task, stage)
    assert "`max_memory`" in result.failure.hint
    assert result.failure.message.startswith("it needs more memory than is available (about 0 MB by its header)")


def test_memory_is_measured_while_an_image_is_processed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out" / ".imgpool" / "tmp").mkdir(parents=True)
    np.save(tmp_path / "in" / "a.npy", np.zeros((8192, 8192), np.uint8))
    task = planned(tmp_path / "in" / "a.npy", tmp_path / "out" / "a.npy")
    state = worker_state(task, "invert")
    properties = read(task.source).properties
    first_estimate = state.memory_estimate.expect(properties, 0)
    assert process_file(state, task).status == "done"
    assert properties.nbytes < state.memory_estimate.expect(properties, 0) < first_estimate / 2


def wide(image: Image) -> Image:
    return image.with_pixels(image.pixels.astype(np.uint16))


def test_refused_image_fails_in_stage_write_and_keeps_the_target(task, tmp_path, monkeypatch):
    monkeypatch.setitem(FILTERS._built_in, "wide", image_filter(tiles="no")(wide))
    target = tmp_path / "out" / "a.jpg"
    target.write_bytes(b"old")
    to_jpeg = replace(task, target=str(target))
    result = process_file(worker_state(task, "wide"), to_jpeg)
    assert_failed(result, to_jpeg, "write")
    assert result.failure.error == "WriteError"
    assert result.failure.hint
    assert target.read_bytes() == b"old"


def test_file_in_place_of_the_target_folder_fails_in_stage_write(task, tmp_path):
    (tmp_path / "out" / "trip").write_bytes(b"a file")
    assert_failed(process_file(worker_state(task), task), task, "write")
    assert (tmp_path / "out" / "trip").read_bytes() == b"a file"


def test_folder_in_place_of_the_target_fails_in_stage_write(task):
    os.makedirs(task.target)
    assert_failed(process_file(worker_state(task), task), task, "write")


def test_missing_scratch_folder_fails_in_stage_write(task):
    state = worker_state(task)
    scratch(task).rmdir()
    result = process_file(state, task)
    assert (result.status, result.failure.stage) == ("failed", "write")
    assert not os.path.exists(task.target)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_target_that_links_to_its_source_is_moved_if_asked(task, link):
    before = Path(task.source).read_bytes()
    os.makedirs(os.path.dirname(task.target))
    link(task.source, task.target)
    assert_failed(process_file(worker_state(task, "invert"), task), task, "write")
    assert read(task.target).pixels.tolist() == PIXELS.tolist()
    assert process_file(worker_state(task, "invert", placing={"if_exists": "replace"}), task).status == "done"
    assert Path(task.source).read_bytes() == before
    assert np.array_equal(read(task.target).pixels, 255 - PIXELS)


def test_file_of_a_user_at_the_target_fails_in_stage_write(task):
    os.makedirs(os.path.dirname(task.target))
    Path(task.target).write_bytes(b"mine")
    result = process_file(worker_state(task), task)
    assert_failed(result, task, "write")
    assert result.failure.error == "TargetExistsError"
    assert result.failure.message == f"{task.target} exists and was not written by imgpool"
    assert Path(task.target).read_bytes() == b"mine"


def test_skipped_result_says_nothing_of_the_target(task):
    os.makedirs(os.path.dirname(task.target))
    Path(task.target).write_bytes(b"mine")
    result = process_file(worker_state(task, placing={"if_exists": "skip"}), task)
    assert (result.status, result.sha256, result.written, result.failure) == ("skipped", "", 0, None)
    assert list(result.seconds) == ["read", "filter", "write"]  # the file appeared after the run was planned
    assert os.listdir(scratch(task)) == []


def test_known_file_of_a_user_is_skipped_at_once(task):
    os.makedirs(os.path.dirname(task.target))
    Path(task.target).write_bytes(b"mine")
    os.unlink(task.source)
    known = replace(task, existing=ExistingTarget())
    result = process_file(worker_state(task, placing={"if_exists": "skip"}), known)
    assert (result.status, result.sha256, result.seconds) == ("skipped", "", {})


def test_up_to_date_target_is_skipped_with_its_hash(task):
    done = process_file(worker_state(task), task)
    os.unlink(task.source)
    unsettled = replace(task, existing=ExistingTarget({done.sha256: task.source}, done.sha256))
    result = process_file(worker_state(task), unsettled)
    assert (result.status, result.sha256, result.written) == ("skipped", done.sha256, done.written)
    assert result.pid == os.getpid()


def test_unsettled_target_with_other_contents_is_made_again(task):
    other = process_file(worker_state(task, "invert"), task)
    known = ExistingTarget({other.sha256: task.source}, "0" * 64)
    result = process_file(worker_state(task), replace(task, existing=known))
    assert result.status == "done"
    assert size_and_hash(task.target) == (result.written, result.sha256)
    assert result.sha256 != other.sha256


@pytest.mark.parametrize("through", ["the same path", "a linked folder"])
def test_target_that_is_its_source_is_never_replaced(task, tmp_path, through):
    """The plan refuses this as well, but folders can change after the plan."""
    before = Path(task.source).read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    folder = tmp_path / ("in" if through == "the same path" else "link")
    result = process_file(worker_state(task, "invert"), replace(task, target=str(folder / "a.png")))
    assert Path(task.source).read_bytes() == before
    assert result.status == "failed"


def test_unusual_file_names_are_processed(tmp_path, task):
    for name in ("\udcff.png", "new\nline.png", "-dash.png", "x" * 251 + ".png"):
        source = tmp_path / "in" / name
        os.link(task.source, source)
        assert process_file(worker_state(task), planned(source, tmp_path / "out" / name)).status == "done"
        assert os.path.exists(tmp_path / "out" / name)


STDERR_SCRIPT = """
import multiprocessing, os, sys
from imgpool.core.recipe import Recipe
from imgpool.system.rename import Placing
from imgpool.work.placing import Destination
from imgpool.work.process_file import Job, load_worker_state

def worker():
    load_worker_state(Job(Recipe("none"), ".", Destination(".", ".", "token", Placing())))
    os.write(2, b"TIFFReadDirectory: Warning, unknown field\\n")
    print("Python", file=sys.stderr)

child = multiprocessing.get_context("fork").Process(target=worker)
child.start()
child.join()
load_worker_state(Job(Recipe("none"), ".", Destination(".", ".", "token", Placing())))
os.write(2, b"the parent\\n")
"""


def test_workers_hide_the_warnings_of_c_libraries():
    done = subprocess.run([sys.executable, "-c", STDERR_SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "Python\nthe parent\n"
