"""However large the image, whatever a model takes: tiles make up the whole, each output pixel once."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st

from imgpool.core.errors import FilterError
from imgpool.models.tiling import Along, predict_tiles, split, tiles_of

SCALES = [Fraction(1), Fraction(2), Fraction(4), Fraction(1, 2), Fraction(1, 4), Fraction(3, 2)]


@st.composite
def ways(draw):
    """How a model takes an axis, such that the lengths it takes make whole numbers of output pixels."""
    scale = draw(st.sampled_from(SCALES))
    unit = scale.denominator
    least = unit * draw(st.integers(1, 40))
    step = unit * draw(st.sampled_from([0, 0, 1, 2, 8, 16]))
    offset = 2 * draw(st.integers(-8, 3)) if draw(st.booleans()) else 0
    assume(least * scale + offset > 0)
    limit, overlap = draw(st.integers(1, 120)), draw(st.integers(0, 12))
    grid = 1 if step else draw(st.sampled_from([1, 4, 8]))
    return Along(least, step, limit, overlap, scale, offset, grid)


def pieces_of(length, along):
    try:
        return split(length, along)
    except FilterError:
        reject()


@given(length=st.integers(1, 300), along=ways())
@example(length=1, along=Along(512))
@example(length=512, along=Along(512, overlap=32, grid=32))
@example(length=513, along=Along(512, overlap=32, grid=32))
@example(length=1, along=Along(1, 1, 512, 32))
def test_every_output_pixel_comes_from_one_tile(length, along):
    count = np.zeros(along.output_length(length), int)
    for piece in pieces_of(length, along):
        count[piece.keep] += 1
        assert piece.take.stop - piece.take.start == piece.keep.stop - piece.keep.start
        assert piece.take.start >= 0
        assert piece.take.stop <= piece.length * along.scale + along.offset
    assert (count == 1).all()


@given(length=st.integers(1, 300), along=ways())
def test_the_model_gets_lengths_that_it_takes_on_one_grid(length, along):
    pieces = pieces_of(length, along)
    assert len({piece.length for piece in pieces}) == 1
    for piece in pieces:
        more = piece.length - along.least
        assert more == 0 or (along.step and more > 0 and more % along.step == 0)
        assert (piece.start - pieces[0].start) % along.unit == 0


@given(length=st.integers(1, 300), along=ways())
def test_what_lacks_surroundings_is_not_kept_beside_a_neighbour(length, along):
    pieces = pieces_of(length, along)
    for piece, following in itertools.pairwise(pieces):
        seam = piece.keep.stop / along.scale
        assert piece.start + piece.length - seam >= along.reach
        assert seam - following.start >= along.reach


@given(length=st.integers(1, 300), along=ways())
def test_pixels_lie_where_they_belong(length, along):
    """An output pixel is over the input pixel that it was made of, wherever the tile began."""
    for piece in pieces_of(length, along):
        centre = piece.start * along.scale - Fraction(along.offset, 2)
        assert piece.keep.start - piece.take.start == centre


def local_mean(values, radius):
    """The sum of what is within a radius, along both axes; beyond the edge there is nothing."""
    for axis in (0, 1):
        values = sum(shifted(values, step, axis) for step in range(-radius, radius + 1))
    return values


def shifted(values, step, axis):
    """The integers are exact, so that sums are the same in any order."""
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
def test_tiles_give_what_the_whole_gives(shape, radius, tile, step, backwards):
    """With the model's own edges at the edges of the image, in either order."""
    assume(tile >= 2 * radius + step)
    image = np.random.default_rng(0).integers(0, 1000, shape)
    along = Along(step, step, tile, radius)
    whole = Along(step, step, 1000, radius)

    def run(how):
        tiles = tiles_of({letter: split(n, how) for letter, n in zip("YX", shape, strict=True)})
        tiles = tiles[::-1] if backwards and how is along else tiles
        return predict_tiles(image, "YX", tiles, lambda part: local_mean(part, radius), "YX")

    assert np.array_equal(run(along), run(whole))
    if all(n % step == 0 for n in shape):
        assert np.array_equal(run(along), local_mean(image, radius))


@given(length=st.integers(1, 20), tile=st.integers(1, 64))
def test_a_small_image_is_mirrored_as_often_as_it_takes(length, tile):
    image = np.arange(length)
    given_to_model = []

    def model(part):
        given_to_model.append(part)
        return part

    assume(tile >= length)
    result = predict_tiles(image, "X", tiles_of({"X": split(length, Along(tile))}), model, "X")
    assert np.array_equal(result, image)
    assert np.array_equal(given_to_model[0], np.pad(image, (0, tile - length), mode="symmetric"))


def test_a_tile_that_is_all_overlap_is_refused():
    with pytest.raises(FilterError) as refusal:
        split(65, Along(64, overlap=32))
    assert refusal.value.hint
    assert len(split(64, Along(64, overlap=32))) == 1
