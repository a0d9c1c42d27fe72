"""Axis letters and planes."""

import numpy as np
import pytest

from imgpool.core.axes import check_axes, has_alpha, has_samples, iter_planes, map_planes, page_count, page_shape


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("YX", (1, 1)),
        ("YXS", (5, 4, 2)),
        ("YXS", (5, 4, 3)),
        ("YXS", (5, 4, 4)),
        ("ZYX", (7, 5, 4)),
        ("TCZYX", (2, 3, 4, 5, 6)),
        ("CZTYX", (2, 3, 4, 5, 6)),
        ("IYXS", (2, 5, 4, 3)),
    ],
)
def test_any_order_of_different_letters_is_valid(axes, shape):
    check_axes(axes, shape)


@pytest.mark.parametrize(
    ("axes", "shape", "complaint"),
    [
        ("YX", (5, 4, 3), "name 2 dimensions"),
        ("ZYX", (5, 4), "name 3 dimensions"),
        ("", (), "must end in YX"),
        ("QYX", (2, 5, 4), "different letters"),
        ("yx", (5, 4), "different letters"),
        ("ZZYX", (2, 2, 5, 4), "different letters"),
        ("YYX", (2, 5, 4), "different letters"),
        ("XY", (5, 4), "must end in YX"),
        ("YXZ", (5, 4, 2), "must end in YX"),
        ("YX", (0, 4), "no pixels"),
        ("ZYX", (0, 5, 4), "no pixels"),
        ("YXS", (5, 4, 1), "2, 3 or 4 samples"),
        ("YXS", (5, 4, 5), "2, 3 or 4 samples"),
    ],
)
def test_axes_that_do_not_describe_the_shape_are_refused(axes, shape, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_axes(axes, shape)


def test_samples_must_be_last():
    """Otherwise a sample would be filtered and written as a page, and alpha would not be recognised."""
    for axes in ("SYX", "SZYX", "ZSYX"):
        with pytest.raises(ValueError, match="axes"):
            check_axes(axes, (3, 3, 5, 4)[-len(axes) :])


def test_alpha_is_the_last_of_two_or_four_samples():
    assert [has_alpha("YXS", (5, 4, samples)) for samples in (2, 3, 4)] == [True, False, True]
    assert not has_alpha("ZYX", (2, 5, 4))  # four columns are not samples
    assert has_samples("YXS")
    assert not has_samples("CYX")


def test_pages_are_along_the_axes_before_y():
    assert page_shape("TCYXS", (2, 3, 5, 4, 3)) == (2, 3)
    assert page_count("TCYXS", (2, 3, 5, 4, 3)) == 6
    assert page_shape("YX", (5, 4)) == ()
    assert page_count("YX", (5, 4)) == 1


def test_page_count_does_not_overflow():
    assert page_count("TCYX", (2**40, 2**40, 1, 1)) == 2**80


def test_planes_are_in_storage_order_with_their_index():
    pixels = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)
    planes = list(iter_planes(pixels, "TCYX"))
    assert [index for index, _ in planes] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert all(np.array_equal(plane, pixels[index]) for index, plane in planes)


def test_plane_keeps_its_samples():
    pixels = np.zeros((2, 5, 4, 3))
    assert [plane.shape for _, plane in iter_planes(pixels, "ZYXS")] == [(5, 4, 3)] * 2


def test_map_planes_keeps_order_and_input():
    pixels = np.arange(2 * 3 * 5 * 4, dtype=np.uint16).reshape(2, 3, 5, 4)
    before = pixels.copy()
    assert np.array_equal(map_planes(lambda plane: plane + 1, pixels, "TCYX"), before + 1)
    assert np.array_equal(pixels, before)


def test_map_planes_allows_another_shape_and_dtype():
    pixels = np.arange(2 * 6 * 4 * 3, dtype=np.uint8).reshape(2, 6, 4, 3)
    mapped = map_planes(lambda plane: plane[::2, ::2].sum(axis=-1, dtype=np.float32), pixels, "ZYXS")
    assert mapped.shape == (2, 3, 2)
    assert mapped.dtype == np.float32
    assert mapped[1, 0, 0] == pixels[1, 0, 0].sum()


def test_map_planes_calls_once_for_one_plane():
    pixels = np.arange(20).reshape(5, 4)
    seen = []
    assert map_planes(lambda plane: seen.append(plane.shape) or plane * 2, pixels, "YX")[4, 3] == 38
    assert seen == [(5, 4)]
