"""Lengths, areas, ranges and sizes as text."""

import numpy as np
import pydantic
import pytest

from imgpool.core.errors import FilterError
from imgpool.core.image import PixelSize
from imgpool.core.quantity import Area, Length, Range, parse_size, split_number

SQUARE = PixelSize(0.5, 0.5)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2", (2.0, "")),
        (" 2 px ", (2.0, "px")),
        ("-1.5e3um", (-1500.0, "um")),
        (".5mm", (0.5, "mm")),
        ("2.", (2.0, "")),
        ("0.65 µm", (0.65, "um")),  # the micro sign
        ("0.65 μm", (0.65, "um")),  # the Greek letter
        ("12µm²", (12.0, "um2")),
        ("12um^2", (12.0, "um2")),
        ("2e5um", (2e5, "um")),
        ("2em", (2.0, "em")),
    ],
)
def test_text_is_split_into_number_and_unit(text, parts):
    assert split_number(text) == parts


@pytest.mark.parametrize("text", ["", "px", "um2", "--2", "nan", "inf", "one"])
def test_text_without_a_number_is_refused(text):
    with pytest.raises(ValueError, match="must start with a number"):
        split_number(text)


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (2, Length(2.0)),
        (2.5, Length(2.5)),
        ("2", Length(2.0)),
        ("2px", Length(2.0)),
        ("650nm", Length(0.65, "um")),
        ("0.65um", Length(0.65, "um")),
        ("0.001 mm", Length(1.0, "um")),
        ("1cm", Length(10_000.0, "um")),
        (Length(3, "um"), Length(3, "um")),
    ],
)
def test_lengths_are_read(value, length):
    assert Length.parse(value) == length


@pytest.mark.parametrize("value", [True, None, [2], "2m", "2um2", "2 pixels", "2%", "px", "", "2 3"])
def test_invalid_length_is_refused(value):
    with pytest.raises(ValueError, match="must be a length"):
        Length.parse(value)


@pytest.mark.parametrize("parse", [Length.parse, Area.parse])
@pytest.mark.parametrize("value", ["1e999", float("inf"), float("nan"), "1e999px"])
def test_infinite_quantity_is_refused(parse, value):
    """It could not be written into a recipe and read back, so workers would fail on a parameter that was accepted."""
    with pytest.raises(ValueError, match="must "):
        parse(value)


@pytest.mark.parametrize("nanometres", [70, 110, 140, 290, 325, 580, 650])
def test_value_does_not_depend_on_the_unit(nanometres):
    """70nm and 0.07um are the same recipe and must have the same fingerprint."""
    assert Length.parse(f"{nanometres}nm") == Length.parse(f"{nanometres / 1000}um")


@pytest.mark.parametrize(
    ("value", "area"),
    [
        (40, Area(40.0)),
        ("40px", Area(40.0)),
        ("12um2", Area(12.0, "um")),
        ("12µm²", Area(12.0, "um")),
        ("1mm2", Area(1e6, "um")),
    ],
)
def test_areas_are_read(value, area):
    assert Area.parse(value) == area


@pytest.mark.parametrize("value", ["12um", "12um3", "12um22", True, None, "2%"])
def test_invalid_area_is_refused(value):
    with pytest.raises(ValueError, match="must be an area"):
        Area.parse(value)


@pytest.mark.parametrize("kind", [Length, Area])
@pytest.mark.parametrize("number", [np.float64(2.5), np.float64(1e-9)])
def test_numpy_float_is_a_number_of_pixels(kind, number):
    assert kind.parse(number) == kind(float(number))


def test_text_contains_value_and_unit():
    assert [str(Length(2.0)), str(Length(0.65, "um")), str(Area(12.0, "um")), str(Area(40.0))] == [
        "2px",
        "0.65um",
        "12um2",
        "40px",
    ]
    assert Length.parse(str(Length(1 / 3, "um"))) == Length(1 / 3, "um")


def test_pixels_need_no_pixel_size():
    assert Length(2.0).in_pixels(None) == (2.0, 2.0)
    assert Length(2.0).in_pixels(PixelSize(0.1, 9.0)) == (2.0, 2.0)
    assert Length(2.0).in_square_pixels(PixelSize(0.1, 9.0)) == 2.0
    assert Area(40.0).in_pixels(None) == 40.0


def test_micrometres_are_converted_along_each_axis():
    assert Length(2.0, "um").in_pixels(PixelSize(y=0.5, x=0.25)) == (4.0, 8.0)
    assert Area(2.0, "um").in_pixels(PixelSize(y=0.5, x=0.25)) == 16.0


def test_missing_pixel_size_is_explained():
    for convert in (Length(1, "um").in_pixels, Length(1, "um").in_square_pixels, Area(1, "um").in_pixels):
        with pytest.raises(FilterError, match="needs the pixel size") as caught:
            convert(None)
        assert '`pixel_size="0.325um"`' in caught.value.hint


def test_disk_needs_square_pixels_within_one_percent():
    assert Length(10, "um").in_square_pixels(PixelSize(0.5, 0.502)) == 20.0
    with pytest.raises(FilterError, match="not square"):
        Length(10, "um").in_square_pixels(PixelSize(0.5, 0.51))


def test_length_compares_with_numbers():
    assert Length(2) > 1
    assert Length(2, "um") >= 2
    assert Length(2) < 3
    assert Length(2) <= 2
    assert not Length(2) > 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("100..4000", Range(100.0, 4000.0)),
        ("-5..5", Range(-5.0, 5.0)),
        ("0.5 .. 1.5", Range(0.5, 1.5)),
        ("0.35%..99.65%", Range(0.35, 99.65, percent=True)),
        ((0, 255), Range(0.0, 255.0)),
        ([2, 3.5], Range(2.0, 3.5)),
        (["2%", "98%"], Range(2.0, 98.0, percent=True)),
    ],
)
def test_ranges_are_read(value, expected):
    assert Range.parse(value) == expected
    assert Range.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "100",
        "1..2..3",
        "2%..98",
        "2..98%",
        "5..5",
        "5..4",
        "-1%..50%",
        "0%..101%",
        "1px..2px",
        "..5",
        "5..",
        (1, 2, 3),
        5,
        None,
        (True, 2),
        (0, float("inf")),
        (float("nan"), 1),
        "0..1e999",
        "-1e999..0",
    ],
)
def test_invalid_range_is_refused(value):
    with pytest.raises(ValueError, match="must "):
        Range.parse(value)


def test_pydantic_reads_and_writes_quantities_as_text():
    class Model(pydantic.BaseModel):
        sigma: Length
        area: Area | None = None

    model = Model.model_validate({"sigma": "650nm", "area": "12um2"})
    assert (model.sigma, model.area) == (Length(0.65, "um"), Area(12.0, "um"))
    assert model.model_dump(mode="json") == {"sigma": "0.65um", "area": "12um2"}
    with pytest.raises(pydantic.ValidationError, match="must be a length"):
        Model.model_validate({"sigma": "2m"})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("4096B", 4096),
        ("2GiB", 2 * 1024**3),
        ("2 gib", 2 * 1024**3),
        ("500MB", 500_000_000),
        ("1.5k", 1536),
        ("1T", 1024**4),
        ("8Gb", 8_000_000_000),
    ],
)
def test_sizes_are_read(text, count):
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "GiB", "2 XB", "0", "-1GB", "2um", "1e999", "1e999GiB", "0.5"])
def test_invalid_size_is_refused(text):
    """Half a byte would mean "no limit", and an infinite size would raise an OverflowError."""
    with pytest.raises(ValueError, match="must "):
        parse_size(text)
