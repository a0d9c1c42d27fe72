"""Numbers, file names and lines for people."""

import re

import pytest

from imgpool.report.text import duration, plural, printable, short, size


@pytest.mark.parametrize("name", ["a.png", "a b.png", "-dash.png", "µm 🔬 漢字.png", "👩‍🔬.png", "quo'te\\.png"])
def test_printable_text_is_unchanged(name):
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\tb\r", r"a\tb\r"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\udcff.png", r"\udcff.png"),
        ("a\u2028b", r"a\u2028b"),
        ("a\x7f\x85", r"a\x7f\x85"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),  # would be shown as photoexe.png
        ("\u2066x\u2069", r"\u2066x\u2069"),
    ],
)
def test_control_characters_are_escaped(name, shown):
    assert printable(name) == shown


def test_each_escaped_name_is_valid_utf_8():
    printable("".join(map(chr, range(0xD7F0, 0xE010)))).encode("utf-8")


def test_paths_are_relative_to_a_folder():
    assert short("/photos/trip/a.png", "/photos") == "trip/a.png"
    assert short("/photos/trip/a.png", "/photos/") == "trip/a.png"
    assert short("/photos-2/a.png", "/photos") == "/photos-2/a.png"
    assert short("/photos", "/photos") == "/photos"
    assert short("/a.png", "/") == "a.png"
    assert short("/photos/a\n.png", "/photos") == r"a\n.png"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (12_345, "12 kB"),
        (1_500_000, "1.5 MB"),
        (3_100_000_000, "3.1 GB"),
        (2_000_000_000_000, "2.0 TB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_sizes_have_decimal_units(count, text):
    assert size(count) == text


@pytest.mark.parametrize("exponent", [6, 9, 12])
def test_sizes_are_rounded_up_to_the_next_unit(exponent):
    assert re.fullmatch(r"(\d{1,3}|1\.0)(\.\d)? .B", size(10**exponent - 1))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (31.46, "31.5 s"),
        (59.94, "59.9 s"),
        (60, "0:01:00"),
        (61.4, "0:01:01"),
        (3599.9, "1:00:00"),
        (7509, "2:05:09"),
        (100 * 3600, "100:00:00"),
    ],
)
def test_durations_have_seconds_or_hours(seconds, text):
    assert duration(seconds) == text


def test_sixty_seconds_are_one_minute():
    assert duration(59.97) == "0:01:00"


def test_nouns_agree_with_their_count():
    assert [plural(count, "image") for count in (0, 1, 2, 1204)] == ["0 images", "1 image", "2 images", "1,204 images"]
