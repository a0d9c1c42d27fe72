"""Recognising a file by its first bytes, and saying what it is if it is of another kind."""

import re
from pathlib import Path

import pytest

from imgpool.formats import wrong_file_error

HEADS = {
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "GIF": b"GIF89a\1\0\1\0",
    "BMP": b"BM\x36\0\0\0",
    "WebP": b"RIFF\x24\0\0\0WEBPVP8 ",
    "TIFF": b"II*\0\x08\0\0\0",
    "NPY": b"\x93NUMPY\1\0",
}


@pytest.mark.parametrize("name", HEADS)
def test_each_kind_of_file_is_recognised(name):
    for other in HEADS.keys() - {name}:
        assert re.match(rf"this is an? {name} named \.bin", wrong_file_error("a.bin", HEADS[name], other).message)


@pytest.mark.parametrize("head", [b"MM\0*", b"II+\0", b"MM\0+"])
def test_every_variant_of_tiff_is_recognised(head):
    assert wrong_file_error("a.png", head, "PNG").message == "this is a TIFF named .png"


def test_png_named_jpg_is_reported_with_a_hint():
    error = wrong_file_error(Path("photo.JPG"), HEADS["PNG"], "JPEG")
    assert error.message == "this is a PNG named .jpg"
    assert error.hint == "rename it so that it ends in .png"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "the file is empty"),
        (bytes(512), "contains only zeros"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "side file of macOS"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><head>", "a web page, not a PNG"),
        (b"\xef\xbb\xbf<html>", "a web page, not a PNG"),
        ("Messwerte: 3 µm\r\n\t4".encode(), "a text file, not a PNG"),
        (("x" * 511 + "µ").encode()[:512], "a text file, not a PNG"),
        (b"\xde\xad\xbe\xef\0", "begins with the bytes de ad be ef"),
        (b"%PDF-1.7", "this is a PDF named .png"),
        (b"PK\3\4", "this is a ZIP archive named .png"),
        (b"\x89HDF\r\n\x1a\n", "this is an HDF5 file named .png"),
        (b"\0\0\0\x1cftypheic", "this is a HEIF picture named .png"),
        (b"\0\0\0\x1cftypavif", "this is an AVIF picture named .png"),
        (b"\0\0\0\x20ftypisom", "this is a movie named .png"),
        (bytes(128) + b"DICM", "this is a DICOM file named .png"),
    ],
)
def test_other_kinds_of_files_are_named(head, message):
    error = wrong_file_error("a.png", head, "PNG")
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize("name", ["noextension", "a.png"])
def test_message_does_not_blame_a_correct_extension(name):
    assert "named" not in wrong_file_error(name, HEADS["PNG"], "GIF").message
