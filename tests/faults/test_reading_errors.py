"""Files that end within their metadata, and disks that fail while a file is read."""

import errno
import io
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata

EXIF = b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x08\0\0\0\x26\0\0\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0TestCam\0"
METADATA = Metadata(
    icc=bytes(16) + b"RGB " + bytes(300),
    exif=EXIF,
    dpi=(300.0, 300.0),
    description="a cell",
    extra=MappingProxyType({"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}),
)
PICTURE = Image(np.random.default_rng(0).integers(0, 4, (20, 30, 3), np.uint8) * 60, "YXS", metadata=METADATA)
EVERY = [pytest.param(each, id=each.name) for each in FORMATS]


@pytest.mark.parametrize("target", EVERY)
def test_truncated_metadata_is_noticed(target, tmp_path):
    path = tmp_path / f"a{target.extensions[0]}"
    target.write(PICTURE, path)
    data, whole = path.read_bytes(), target.read(path)
    for missing in range(1, 60):
        path.write_bytes(data[:-missing])
        try:
            found = target.read(path)
        except ReadError:
            continue
        assert found.metadata == whole.metadata, missing
        assert np.array_equal(found.pixels, whole.pixels)


class Failing(io.FileIO):
    """A file whose first 700 bytes can be read, and no others."""

    def read(self, size=-1):
        if size < 0 or self.tell() + size > 700:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)

    readall = read

    def readinto(self, buffer):
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize("target", [case for case in EVERY if case.id != "npy"])  # numpy reads past Python's file
def test_disk_error_is_not_reported_as_damage(target, tmp_path, monkeypatch):
    """A `ReadError` would say that the picture is damaged, and it is not."""
    path = tmp_path / f"a{target.extensions[0]}"
    target.write(PICTURE, path)
    assert path.stat().st_size > 700
    monkeypatch.setattr("builtins.open", lambda name, *_, **__: Failing(name))
    monkeypatch.setattr(Path, "open", lambda self, *_, **__: Failing(self))
    with pytest.raises(OSError, match="Input/output") as caught:
        target.read(path)
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize("missing", range(1, 9))
def test_webp_header_shows_that_the_last_bytes_are_missing(missing, tmp_path):
    path = tmp_path / "a.webp"
    FORMATS["webp"].write(PICTURE, path)
    path.write_bytes(path.read_bytes()[:-missing])
    for look in (FORMATS["webp"].properties, FORMATS["webp"].read):
        with pytest.raises(ReadError, match="truncated: only 99% of the file"):
            look(path)
