"""Tiles yield each output pixel once, for every image size and every model."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from imgpool.core.errors import FilterError
from imgpool.models.tiling import AxisTiling, combine_ranges, predict_tiles, split_axis

SCALES = [Fraction(1), Fraction(2), Fraction(4), Fraction(1, 2), Fraction(1, 4), Fraction(3, 2)]


@st.composite
def tilings(draw):
    """Tilings whose lengths yield whole numbers of output pixels."""
    scale = draw(st.sampled_from(SCALES))
    unit = scale.denominator
    minimum = unit * draw(st.integers(1, 40))
    step = unit * draw(st.sampled_from([0, 0, 1, 2, 8, 16]))
    offset = 2 * draw(st.integers(-8, 3)) if draw(st.booleans()) else 0
    assume(minimum * scale + offset > 0)
    max_tile, overlap = draw(st.integers(1, 120)), draw(st.integers(0, 12))
    alignment = 1 if step else draw(st.sampled_from([1, 4, 8]))
    return AxisTiling(minimum, step, max_tile, overlap, scale, offset, alignment)


def split_or_reject(length, tiling):
    try:
        return split_axis(length, tiling)
    except FilterError:
        reject()


@given(length=st.integers(1, 300), tiling=tilings())
@example(length=1, tiling=AxisTiling(512))
@example(length=512, tiling=AxisTiling(512, overlap=32, alignment=32))
@example(length=513, tiling=AxisTiling(512, overlap=32, alignment=32))
@example(length=1, tiling=AxisTiling(1, 1, 512, 32))
def test_every_output_pixel_comes_from_one_tile(length, tiling):
    count = np.zeros(tiling.output_length(length), int)
    for each in split_or_reject(length, tiling):
        count[each.target] += 1
        assert each.source.stop - each.source.start == each.target.stop - each.target.start
        assert each.source.start >= 0
        assert each.source.stop <= each.length * tiling.scale + tiling.offset
    assert (count == 1).all()


@given(length=st.integers(1, 300), tiling=tilings())
def test_tiles_have_valid_lengths_on_one_grid(length, tiling):
    ranges = split_or_reject(length, tiling)
    assert len({each.length for each in ranges}) == 1
    for each in ranges:
        extra = each.length - tiling.minimum
        assert extra == 0 or (tiling.step and extra > 0 and extra % tiling.step == 0)
        assert (each.start - ranges[0].start) % tiling.grid == 0


@given(length=st.integers(1, 300), tiling=tilings())
def test_overlap_is_discarded_between_neighbours(length, tiling):
    ranges = split_or_reject(length, tiling)
    for each, following in itertools.pairwise(ranges):
        seam = each.target.stop / tiling.scale
        assert each.start + each.length - seam >= tiling.discarded
        assert seam - following.start >= tiling.discarded


@given(length=st.integers(1, 300), tiling=tilings())
def test_output_pixels_are_at_their_positions(length, tiling):
    """The position of an output pixel does not depend on the tile."""
    for each in split_or_reject(length, tiling):
        centre = each.start * tiling.scale - Fraction(tiling.offset, 2)
        assert each.target.start - each.source.start == centre


def local_sum(values, radius):
    """Sums over all pixels within a radius, along both axes; pixels beyond the edge count as 0."""
    for axis in (0, 1):
        values = sum(shifted(values, step, axis) for step in range(-radius, radius + 1))
    return values


def shifted(values, step, axis):
    """Shift integers, whose sums do not depend on the order."""
    result = np.zeros_like(values)
    source, target = (slice(max(0, sign * step), values.shape[axis] + min(0, sign * step)) for sign in (-1, 1))
    every = (slice(None),) * axis
    if target.start < target.stop:
        result[(*every, target)] = values[(*every, source)]
    return result


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    radius=st.integers(0, 3),
    tile=st.integers(1, 6).map(lambda number: 8 * number),
    step=st.sampled_from([1, 2, 8]),
    backwards=st.booleans(),
)
def test_tiles_give_the_result_of_the_whole_image(shape, radius, tile, step, backwards):
    """The model sees the edges of the image as edges; the order of the tiles does not matter."""
    assume(tile >= 2 * radius + step)
    image = np.random.default_rng(0).integers(0, 1000, shape)
    tiled = AxisTiling(step, step, tile, radius)
    whole = AxisTiling(step, step, 1000, radius)

    def run(tiling):
        tiles = combine_ranges({letter: split_axis(n, tiling) for letter, n in zip("YX", shape, strict=True)})
        tiles = tiles[::-1] if backwards and tiling is tiled else tiles
        return predict_tiles(image, "YX", tiles, lambda part: local_sum(part, radius), "YX")

    assert np.array_equal(run(tiled), run(whole))
    if all(n % step == 0 for n in shape):
        assert np.array_equal(run(tiled), local_sum(image, radius))


@given(length=st.integers(1, 20), tile=st.integers(1, 64))
def test_small_image_is_mirrored_repeatedly(length, tile):
    image = np.arange(length)
    seen = []

    def model(part):
        seen.append(part)
        return part

    assume(tile >= length)
    result = predict_tiles(image, "X", combine_ranges({"X": split_axis(length, AxisTiling(tile))}), model, "X")
    assert np.array_equal(result, image)
    assert np.array_equal(seen[0], np.pad(image, (0, tile - length), mode="symmetric"))


def test_tile_without_room_between_overlaps_is_refused():
    with pytest.raises(FilterError) as refusal:
        split_axis(65, AxisTiling(64, overlap=32))
    assert refusal.value.hint
    assert len(split_axis(64, AxisTiling(64, overlap=32))) == 1
