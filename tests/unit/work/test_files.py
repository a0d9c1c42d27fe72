"""Reading and writing single files: limits, and no partial files."""

import os
import re
import resource
import socket
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import ReadError, RecipeError, UsageError, WriteError
from imgpool.core.image import Image
from imgpool.formats.png import Png
from imgpool.work.files import (
    format_and_temporary,
    format_of,
    read,
    size_and_hash,
    source_hash,
    write,
)

NOISE = np.random.default_rng(1).integers(0, 256, (128, 128), np.uint8)
IMAGE = Image.from_array(NOISE)


def forged_png(path, width, height):
    """Write a PNG of a few bytes whose header, with a valid checksum, declares `width` × `height` pixels."""
    encoded = bytearray(imagecodecs.png_encode(np.zeros((4, 4), np.uint8)))
    encoded[16:24] = struct.pack(">II", width, height)
    encoded[29:33] = struct.pack(">I", zlib.crc32(encoded[12:29]))
    path.write_bytes(encoded)
    return path


@pytest.fixture
def no_large_file():
    """Limit files to 1,000 bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_written_image_is_read_back(tmp_path):
    assert write(IMAGE, tmp_path / "a.png", level=9) == ()
    assert np.array_equal(read(tmp_path / "a.png").pixels, NOISE)
    assert os.listdir(tmp_path) == ["a.png"]


def test_an_existing_file_is_replaced(tmp_path):
    write(IMAGE, tmp_path / "a.png")
    write(Image.from_array(NOISE // 2), str(tmp_path / "a.png"))
    assert np.array_equal(read(str(tmp_path / "a.png")).pixels, NOISE // 2)


def test_replacing_a_link_keeps_the_linked_file(tmp_path):
    write(IMAGE, tmp_path / "a.png")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to("a.png")
    for name in ("hard.png", "soft.png"):
        write(Image.from_array(NOISE // 2), tmp_path / name)
        assert np.array_equal(read(tmp_path / "a.png").pixels, NOISE)
        assert np.array_equal(read(tmp_path / name).pixels, NOISE // 2)


@pytest.mark.parametrize("name", [format_.name for format_ in FORMATS if format_.can_hold(IMAGE.properties)])
@pytest.mark.usefixtures("no_large_file")
def test_interrupted_write_keeps_the_old_file(tmp_path, name):
    target = tmp_path / f"a{FORMATS[name].extensions[0]}"
    target.write_bytes(b"old")
    with pytest.raises((OSError, RuntimeError, WriteError)):
        write(IMAGE, target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [target.name]


def test_refused_image_keeps_the_old_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"old")
    with pytest.raises(WriteError):
        write(Image.from_array(NOISE.astype(np.uint16)), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("options", [{"level": 10}, {"levle": 1}])
def test_invalid_option_writes_nothing(tmp_path, options):
    with pytest.raises(RecipeError):
        write(IMAGE, tmp_path / "a.png", **options)
    assert os.listdir(tmp_path) == []


def test_writing_to_a_missing_folder_raises_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write(IMAGE, tmp_path / "absent" / "a.png")


@pytest.mark.parametrize("name", ["a", "a.txt", ".png", "a.png.bak"])
def test_unknown_extension_raises_usage_error(tmp_path, name):
    for ask in (format_of, read, lambda path: write(IMAGE, path)):
        with pytest.raises(UsageError, match="no format has this extension") as caught:
            ask(tmp_path / name)
        assert ".png" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_reading_a_missing_file_raises_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.png")


def test_read_refuses_a_forged_size(tmp_path):
    with pytest.raises(ReadError, match="far too little data"):
        read(forged_png(tmp_path / "bomb.png", 65_535, 65_535))


def test_temporary_names_are_hidden_and_keep_the_extension(tmp_path):
    names = {format_and_temporary("folder/a b.ome.TIF", str(tmp_path))[1] for _ in range(100)}
    assert len(names) == 100
    for path in map(Path, names):
        assert path.parent == tmp_path
        assert path.name.startswith(".imgpool-")
        assert re.match(rf"\.imgpool-{os.getpid()}-[0-9a-f]{{16}}-\d+\.", path.name)
        assert format_of(path).name == "tiff"


def test_longest_file_name_can_be_written(tmp_path):
    write(IMAGE, tmp_path / ("x" * 251 + ".png"))
    assert len(os.listdir(tmp_path)) == 1


def test_size_and_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert size_and_hash(tmp_path / "a") == (3, digest)


def test_source_hash_depends_on_the_bytes_alone(tmp_path):
    for name, content in (("a", b"abc"), ("b", b"abc"), ("c", b"abd"), ("long", b"abc" * 100_000)):
        (tmp_path / name).write_bytes(content)
    known = {name: source_hash(tmp_path / name) for name in ("a", "b", "c", "long")}
    assert known["a"] == known["b"] == "06b05ab6733a618578af5f94892f3950"  # XXH3's own, for 128 bits of "abc"
    assert len(set(known.values())) == 3


def test_two_writers_of_one_file_use_different_temporary_files(tmp_path, monkeypatch):
    used = []
    write_png = Png.write

    def write_while_another_does(self, image, path, **options):
        used.append(path)
        if len(used) == 1:
            write(image.with_pixels(255 - image.pixels), tmp_path / "a.png")
        return write_png(self, image, path, **options)

    monkeypatch.setattr(Png, "write", write_while_another_does)
    monkeypatch.setattr(Png, "validate", lambda _self, options: dict(options))
    write(IMAGE, tmp_path / "a.png")
    assert len(set(used)) == 2
    assert np.array_equal(read(tmp_path / "a.png").pixels, NOISE)
    assert os.listdir(tmp_path) == ["a.png"]


def test_devices_and_sockets_are_refused(tmp_path, monkeypatch):
    (tmp_path / "null.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        for name in ("null.png", "socket.png"):
            with pytest.raises(ReadError, match="a pipe, a socket or a device"):
                read(tmp_path / name)
