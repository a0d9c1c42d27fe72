"""Estimates of the memory that an image takes, before and after images were measured."""

import sys
import tracemalloc

import numpy as np
import psutil
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.engine import MemoryNeeded
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.recipe import Recipe
from imgpool.system import memory
from imgpool.system.memory import memory_use, reset_peak_memory
from imgpool.work.memory_estimate import (
    INITIAL_COPIES,
    MIN_MEASURED_BYTES,
    REFERENCE_BYTES_PER_VALUE,
    SAFETY_FACTOR,
    MemoryEstimate,
)

MB = 2**20
SIDE = 4096
PLANE = Properties((SIDE, SIDE), np.dtype("uint8"), "YX")
COPY = 4 * SIDE * SIDE


@pytest.fixture
def shared(tmp_path):
    return tmp_path / "memory.json"


def estimator(shared, *specs, pixel_size=None):
    recipe = Recipe.from_specs(specs)
    return MemoryEstimate(recipe.with_pixel_size(pixel_size) if pixel_size else recipe, shared)


def process_image(estimate, copies, properties=PLANE, *, failing=False):
    """Allocate as much memory as an image's filters might."""
    measurement = estimate.start_measurement(properties)
    allocated = np.ones(int(copies * COPY), np.uint8)
    del allocated
    if measurement:
        measurement.finish(succeeded=not failing)


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
def test_first_estimate_counts_copies_as_floats_and_the_file(shared, dtype, shape, axes, nbytes):
    properties = Properties(shape, np.dtype(dtype), axes)
    assert estimator(shared, "gaussian").expect(properties, 77) == INITIAL_COPIES * nbytes + 77


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
def test_estimate_counts_the_image_where_it_is_largest(shared, specs, times):
    assert estimator(shared, *specs).expect(PLANE, 0) == INITIAL_COPIES * COPY * times


def test_estimate_uses_the_pixel_size_of_the_recipe(shared):
    estimate = estimator(shared, "crop:margin=1um", "resize:scale=3", pixel_size=PixelSize(1, 1))
    assert estimate.expect(PLANE, 0) == INITIAL_COPIES * 9 * 4 * (SIDE - 2) ** 2


def test_estimate_above_the_limit_raises_memory_needed(shared):
    estimate = estimator(shared, "gaussian")
    need = estimate.expect(PLANE, 5)
    assert estimate.expect(PLANE, 5, need) == need
    with pytest.raises(MemoryNeeded) as raised:
        estimate.expect(PLANE, 5, need - 1)
    assert raised.value.nbytes == need


def test_estimate_follows_the_largest_image_of_the_same_kind(shared):
    estimate = estimator(shared)
    process_image(estimate, 2)
    assert estimate.expect(PLANE, 0) == pytest.approx(2 * SAFETY_FACTOR * COPY, rel=0.05)
    half = Properties((SIDE, SIDE // 2), np.dtype("uint8"), "YX")
    assert estimate.expect(half, 0) == pytest.approx(estimate.expect(PLANE, 0) / 2, rel=0.01)
    stack = Properties((1, SIDE, SIDE), np.dtype("uint8"), "ZYX")
    assert estimate.expect(stack, 0) == INITIAL_COPIES * COPY
    process_image(estimate, 1)
    assert estimate.expect(PLANE, 0) == pytest.approx(2 * SAFETY_FACTOR * COPY, rel=0.05)
    process_image(estimate, 3)
    assert estimate.expect(PLANE, 0) == pytest.approx(3 * SAFETY_FACTOR * COPY, rel=0.05)


def test_failed_image_gives_only_a_lower_bound(shared):
    estimate = estimator(shared)
    process_image(estimate, 1, failing=True)
    assert estimate.expect(PLANE, 0) == INITIAL_COPIES * COPY
    process_image(estimate, INITIAL_COPIES, failing=True)
    assert estimate.expect(PLANE, 0) == pytest.approx(INITIAL_COPIES * SAFETY_FACTOR * COPY, rel=0.05)
    assert not shared.exists()


def test_small_images_are_not_measured(shared):
    estimate = estimator(shared)
    small = Properties((1, MIN_MEASURED_BYTES // 4 - 1), np.dtype("uint8"), "YX")
    process_image(estimate, 2, small)
    assert estimate.expect(small, 0) == INITIAL_COPIES * (MIN_MEASURED_BYTES - 4)
    assert estimate.expect(PLANE, 0) == INITIAL_COPIES * COPY


def test_workers_share_measurements_before_they_refuse_an_image(shared):
    one, other = estimator(shared), estimator(shared)
    process_image(one, 2)
    assert other.expect(PLANE, 0, 9 * COPY) == INITIAL_COPIES * COPY  # within the limit: no need to ask others
    assert other.expect(PLANE, 0, 4 * COPY) == one.expect(PLANE, 0)
    stack = Properties((1, SIDE, SIDE), np.dtype("uint16"), "ZYX")
    process_image(other, 1, stack)
    process_image(one, 3)
    third = estimator(shared)
    assert third.expect(PLANE, 0, 4 * COPY) == one.expect(PLANE, 0)
    assert third.expect(stack, 0, 4 * COPY) == other.expect(stack, 0)
    assert list(shared.parent.iterdir()) == [shared]


@pytest.mark.parametrize("state", ["invalid", "a folder", "in a missing folder"])
def test_shared_measurements_may_be_unreadable(shared, state):
    if state == "invalid":
        shared.write_bytes(b"\xff{")
    elif state == "a folder":
        shared.mkdir()
    else:
        shared = shared.parent / "gone" / shared.name
    estimate = estimator(shared)
    with pytest.raises(MemoryNeeded):
        estimate.expect(PLANE, 0, COPY)
    process_image(estimate, 2)
    assert estimate.expect(PLANE, 0, 3 * COPY) == pytest.approx(2 * SAFETY_FACTOR * COPY, rel=0.05)


def test_peak_is_measured_where_the_system_cannot_reset_it(shared, monkeypatch):
    monkeypatch.setattr(sys, "platform", "freebsd")
    monkeypatch.setattr(memory, "_PROC_SELF", shared.parent / "nowhere")
    estimate = estimator(shared)
    now, most = memory_use()
    assert now == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert most >= now
    copies = (most - now) / COPY + 2
    process_image(estimate, copies)
    assert estimate.expect(PLANE, 0) == pytest.approx(copies * SAFETY_FACTOR * COPY, rel=0.1)
    process_image(estimate, 1, Properties((SIDE, SIDE), np.dtype("int8"), "YX"))  # below the earlier peak: not measured
    assert estimate.expect(Properties((SIDE, SIDE), np.dtype("int8"), "YX"), 0) == INITIAL_COPIES * COPY


@pytest.mark.parametrize("name", sorted(format_.name for format_ in FORMATS))
def test_reading_properties_allocates_no_pixels(tmp_path, shared, name):
    path = tmp_path / f"a{FORMATS[name].extensions[0]}"
    FORMATS[name].write(Image(np.full((2500, 2500, 3), 100, np.uint8), "YXS"), path)
    estimate = estimator(shared)
    reset_peak_memory()
    before = memory_use().current
    with FORMATS[name].open(path) as reader, pytest.raises(MemoryNeeded):
        estimate.expect(reader.properties, path.stat().st_size, MB)
    peak = memory_use().peak
    assert sys.platform != "linux" or peak - before < 4 * MB


def test_reference_images_and_tables_are_counted(shared, tmp_path):
    for name in ("flat", "dark"):
        np.save(tmp_path / f"{name}.npy", np.full((100, 50), 200 if name == "flat" else 10, np.uint8))
    small = Properties((100, 50), np.dtype("uint16"), "YX")
    alone = estimator(shared, "gaussian").expect(small, 0)
    flat = estimator(shared, f"flat_field:flat={tmp_path}/flat.npy,dark={tmp_path}/dark.npy").expect(small, 0)
    assert flat == alone + 2 * 100 * 50 * REFERENCE_BYTES_PER_VALUE
    assert estimator(shared, "clahe:tile_grid=64").expect(small, 0) == alone + 64 * 64 * 2**17


def test_tables_do_not_count_as_copies(shared):
    estimate = estimator(shared, "clahe:tile_grid=32")
    grey16 = Properties((SIDE, SIDE), np.dtype("uint16"), "YX")
    process_image(estimate, 2 + 32 * 32 * 2**17 / COPY, grey16)
    tables = 32 * 32 * 2**17
    assert estimate.expect(grey16, 0) - tables < 1.3 * SAFETY_FACTOR * 2 * COPY


def test_held_reference_images_fit_into_their_estimate(tmp_path):
    """The estimate covers what flat_field holds after it has filtered images of two dtypes."""
    np.save(tmp_path / "flat.npy", np.full((1000, 2000), 200, np.uint8))
    tracemalloc.start()
    try:
        loaded = Recipe.from_specs([f"flat_field:flat={tmp_path}/flat.npy"]).load_filters()[0]
        for dtype in (np.uint16, np.float64):
            loaded(Image(np.full((1000, 2000), 100, dtype), "YX"))
        assert tracemalloc.get_traced_memory()[0] < 1.5 * 2_000_000 * REFERENCE_BYTES_PER_VALUE
    finally:
        tracemalloc.stop()
