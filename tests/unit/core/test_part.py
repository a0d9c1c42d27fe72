"""A part of an image: the same pixels as indexing gives, with metadata that fits them."""

import itertools
from types import MappingProxyType

import numpy as np
import pytest

from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.part import Part, Span

PIXELS = np.arange(3 * 4 * 5 * 6 * 7).reshape(3, 4, 5, 6, 7)
IMAGE = Image(
    PIXELS,
    "TZCYX",
    PixelSize(0.5, 0.25, 2.0),
    Metadata(channel_names=tuple("abcde"), description="cells", extra=MappingProxyType({"frame_interval": 1.5})),
)


def crop(image=IMAGE, **part):
    """Crop an image, and check that the result has the inferred properties."""
    part = Part(**{name: tuple(value.items()) if name == "pages" else Span(*value) for name, value in part.items()})
    result = part.crop(image)
    assert result.properties == part.infer_output(image.properties)
    assert result.pixels.flags.c_contiguous
    return result


def test_whole_part_is_the_image_itself():
    assert Part().crop(IMAGE) is IMAGE
    assert Part().infer_output(IMAGE.properties) == IMAGE.properties


@pytest.mark.parametrize("rows", [(0, 6), (2, 3), (5, 6)])
@pytest.mark.parametrize("columns", [(0, 7), (1, 5)])
def test_window_is_cropped(rows, columns):
    found = crop(rows=rows, columns=columns)
    assert np.array_equal(found.pixels, PIXELS[..., slice(*rows), slice(*columns)])
    assert (found.axes, found.pixel_size, found.metadata) == (IMAGE.axes, IMAGE.pixel_size, IMAGE.metadata)


def test_samples_stay_together():
    colour = Image(PIXELS[0, 0, :, :, :4], "YXS")
    assert np.array_equal(crop(colour, rows=(1, 3)).pixels, colour.pixels[1:3])


def test_axis_with_one_selected_page_is_removed():
    found = crop(pages={"Z": (2,)}, rows=(1, 2))
    assert found.axes == "TCYX"
    assert np.array_equal(found.pixels, PIXELS[:, 2, :, 1:2])


def test_unselected_axis_of_length_one_is_kept():
    single = Image(PIXELS[:1], "TZCYX")
    assert crop(single, pages={"Z": (0, 1)}).axes == "TZCYX"


def test_pages_are_in_the_given_order():
    found = crop(pages={"C": (4, 0), "Z": (3, 1, 0)})
    assert np.array_equal(found.pixels, PIXELS[:, [3, 1, 0]][:, :, [4, 0]])
    assert found.metadata.channel_names == ("e", "a")
    assert found.metadata.description == "cells"


def test_too_few_channel_names_are_kept_unchanged():
    image = Image(PIXELS, "TZCYX", metadata=Metadata(channel_names=("all of them",)))
    assert crop(image, pages={"C": (1, 2)}).metadata.channel_names == ("all of them",)


@pytest.mark.parametrize(
    ("slices", "distance"), [((1,), 2.0), ((0, 1), 2.0), ((0, 2), 4.0), ((3, 2, 1), 2.0), ((0, 1, 3), None)]
)
def test_slice_distance_is_that_of_the_selected_slices(slices, distance):
    assert crop(pages={"Z": slices}).pixel_size == PixelSize(0.5, 0.25, distance)


@pytest.mark.parametrize(
    ("frames", "seconds"), [((1,), 1.5), ((1, 2), 1.5), ((0, 2), 3.0), ((0, 1, 2), 1.5), ((0, 2, 1), None)]
)
def test_frame_interval_is_that_of_the_selected_frames(frames, seconds):
    assert crop(pages={"T": frames}).metadata.extra.get("frame_interval") == seconds


def test_part_of_a_part_is_a_part_of_the_whole():
    twice = crop(crop(pages={"C": (1, 3, 4), "T": (0, 2)}), pages={"C": (2, 0), "Z": (1, 2)})
    once = crop(pages={"C": (4, 1), "T": (0, 2), "Z": (1, 2)})
    assert np.array_equal(twice.pixels, once.pixels)
    assert twice.metadata == once.metadata
    assert twice.metadata.extra["selected_pages"] == {"C": (4, 1), "T": (0, 2), "Z": (1, 2)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": Span(2, 2)}, {"columns": Span(-1, 3)}, {"pages": (("C", ()),)}, {"pages": (("Z", (-1,)),)},
        {"pages": (("Y", (1,)),)}, {"shrink": 0.5},
    ],
)  # fmt: skip
def test_impossible_part_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must be"):
        Part(**wrong)


def test_any_combination_of_pages_equals_indexing():
    choices = [(0,), (1, 2), (2, 0)]
    for t, z, c in itertools.product(choices, repeat=3):
        found = crop(pages={"T": t, "Z": z, "C": c}).pixels
        assert np.array_equal(found.ravel(), PIXELS[np.ix_(t, z, c)].ravel())
