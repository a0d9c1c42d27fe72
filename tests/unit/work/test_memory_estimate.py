"""What an image is expected to take, and what was seen."""

import sys

import numpy as np
import psutil
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.engine import MemoryNeeded
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.recipe import Recipe
from imgpool.system import memory
from imgpool.system.memory import memory_use, reset_peak_memory
from imgpool.work.memory_estimate import LEAST, MARGIN, START, MemoryEstimate

MB = 2**20
SIDE = 4096
PLANE = Properties((SIDE, SIDE), np.dtype("uint8"), "YX")
COPY = 4 * SIDE * SIDE


@pytest.fixture
def shared(tmp_path):
    return tmp_path / "footprint.json"


def footprint(shared, *specs, pixel_size=None):
    recipe = Recipe.from_specs(specs)
    return MemoryEstimate(recipe.with_pixel_size(pixel_size) if pixel_size else recipe, shared)


def process_image(book, copies, properties=PLANE, *, failing=False):
    """Take so much memory as an image's filters might."""
    learn = book.watch(properties)
    taken = np.ones(int(copies * COPY), np.uint8)
    del taken
    learn(not failing)


@pytest.mark.parametrize(
    ("dtype", "shape", "axes", "nbytes"),
    [
        ("uint8", (30, 20), "YX", 4 * 600),
        ("uint8", (30, 20, 3), "YXS", 4 * 1800),
        ("uint16", (5, 30, 20), "ZYX", 4 * 3000),
        ("float32", (30, 20), "YX", 4 * 600),
        ("float64", (30, 20), "YX", 8 * 600),
        ("bool", (30, 20), "YX", 4 * 600),
    ],
)
def test_an_image_counts_in_floats_and_with_its_file(shared, dtype, shape, axes, nbytes):
    properties = Properties(shape, np.dtype(dtype), axes)
    assert footprint(shared, "gaussian").expect(properties, 77) == START * nbytes + 77


@pytest.mark.parametrize(
    ("specs", "times"),
    [
        (["resize:scale=3"], 9),
        (["resize:scale=3", "crop:margin=1300"], 9),
        (["crop:margin=3", "gaussian"], 1),
        (["crop:left=5000"], 1),
        (["crop:left=5000", "resize:scale=3"], 1),
    ],
    ids=["larger", "larger for a while", "smaller", "impossible", "impossible, then larger"],
)
def test_an_image_counts_when_it_is_largest(shared, specs, times):
    assert footprint(shared, *specs).expect(PLANE, 0) == START * COPY * times


def test_lengths_count_in_the_pixel_size_of_the_recipe(shared):
    book = footprint(shared, "crop:margin=1um", "resize:scale=3", pixel_size=PixelSize(1, 1))
    assert book.expect(PLANE, 0) == START * 9 * 4 * (SIDE - 2) ** 2


def test_more_than_is_allowed_is_asked_for(shared):
    book = footprint(shared, "gaussian")
    need = book.expect(PLANE, 5)
    assert book.expect(PLANE, 5, need) == need
    with pytest.raises(MemoryNeeded) as raised:
        book.expect(PLANE, 5, need - 1)
    assert raised.value.nbytes == need


def test_what_an_image_took_the_next_one_of_its_kind_may_take_and_a_margin(shared):
    book = footprint(shared)
    process_image(book, 2)
    assert book.expect(PLANE, 0) == pytest.approx(2 * MARGIN * COPY, rel=0.05)
    half = Properties((SIDE, SIDE // 2), np.dtype("uint8"), "YX")
    assert book.expect(half, 0) == pytest.approx(book.expect(PLANE, 0) / 2, rel=0.01)
    stack = Properties((1, SIDE, SIDE), np.dtype("uint8"), "ZYX")
    assert book.expect(stack, 0) == START * COPY
    process_image(book, 1)
    assert book.expect(PLANE, 0) == pytest.approx(2 * MARGIN * COPY, rel=0.05)
    process_image(book, 3)
    assert book.expect(PLANE, 0) == pytest.approx(3 * MARGIN * COPY, rel=0.05)


def test_an_image_that_failed_tells_only_the_least_that_others_take(shared):
    book = footprint(shared)
    process_image(book, 1, failing=True)
    assert book.expect(PLANE, 0) == START * COPY
    process_image(book, START, failing=True)
    assert book.expect(PLANE, 0) == pytest.approx(START * MARGIN * COPY, rel=0.05)
    assert not shared.exists()


def test_small_images_are_not_measured(shared):
    book = footprint(shared)
    small = Properties((1, LEAST // 4 - 1), np.dtype("uint8"), "YX")
    process_image(book, 2, small)
    assert book.expect(small, 0) == START * (LEAST - 4)
    assert book.expect(PLANE, 0) == START * COPY


def test_workers_learn_from_each_other_before_they_send_an_image_back(shared):
    one, other = footprint(shared), footprint(shared)
    process_image(one, 2)
    assert other.expect(PLANE, 0, 9 * COPY) == START * COPY  # nothing to ask for
    assert other.expect(PLANE, 0, 4 * COPY) == one.expect(PLANE, 0)
    stack = Properties((1, SIDE, SIDE), np.dtype("uint16"), "ZYX")
    process_image(other, 1, stack)
    process_image(one, 3)
    third = footprint(shared)
    assert third.expect(PLANE, 0, 4 * COPY) == one.expect(PLANE, 0)
    assert third.expect(stack, 0, 4 * COPY) == other.expect(stack, 0)
    assert list(shared.parent.iterdir()) == [shared]


@pytest.mark.parametrize("state", ["garbage", "a folder", "in a folder that is gone"])
def test_what_others_have_learnt_may_be_out_of_reach(shared, state):
    if state == "garbage":
        shared.write_bytes(b"\xff{")
    elif state == "a folder":
        shared.mkdir()
    else:
        shared = shared.parent / "gone" / shared.name
    book = footprint(shared)
    with pytest.raises(MemoryNeeded):
        book.expect(PLANE, 0, COPY)
    process_image(book, 2)
    assert book.expect(PLANE, 0, 3 * COPY) == pytest.approx(2 * MARGIN * COPY, rel=0.05)


def test_memory_at_its_highest_is_seen_where_the_system_cannot_forget(shared, monkeypatch):
    monkeypatch.setattr(sys, "platform", "freebsd")
    monkeypatch.setattr(memory, "_PROC_SELF", shared.parent / "nowhere")
    book = footprint(shared)
    now, most = memory_use()
    assert now == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert most >= now
    copies = (most - now) / COPY + 2
    process_image(book, copies)
    assert book.expect(PLANE, 0) == pytest.approx(copies * MARGIN * COPY, rel=0.1)
    process_image(book, 1, Properties((SIDE, SIDE), np.dtype("int8"), "YX"))  # below the record: it shows nothing
    assert book.expect(Properties((SIDE, SIDE), np.dtype("int8"), "YX"), 0) == START * COPY


@pytest.mark.parametrize("name", sorted(format_.name for format_ in FORMATS))
def test_no_format_takes_memory_before_the_header_was_judged(tmp_path, shared, name):
    """Formats of a few colours as well, hence one picture of one colour."""
    path = tmp_path / f"a{FORMATS[name].extensions[0]}"
    FORMATS[name].write(Image(np.full((2500, 2500, 3), 100, np.uint8), "YXS"), path)
    book = footprint(shared)

    reset_peak_memory()
    before = memory_use().current
    with FORMATS[name].open(path) as reader, pytest.raises(MemoryNeeded):
        book.expect(reader.properties, path.stat().st_size, MB)
    peak = memory_use().peak
    assert sys.platform != "linux" or peak - before < 4 * MB
