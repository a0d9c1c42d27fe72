"""Writers that meet, and inputs that are no files."""

import os
import socket

import numpy as np
import pytest

from imgpool.core.errors import ReadError
from imgpool.core.image import Image
from imgpool.formats.png import Png
from imgpool.work.files import read, write

GREY = Image(np.zeros((5, 6), np.uint8), "YX")


def test_two_writers_of_one_file_never_share_a_temporary_one(tmp_path, monkeypatch):
    used = []
    write_png = Png.write

    def write_while_another_does(self, image, path, **options):
        used.append(path)
        if len(used) == 1:
            write(image.with_pixels(image.pixels + 7), tmp_path / "a.png")
        return write_png(self, image, path, **options)

    monkeypatch.setattr(Png, "write", write_while_another_does)
    monkeypatch.setattr(Png, "validate", lambda _self, options: dict(options))
    write(GREY, tmp_path / "a.png")
    assert len(set(used)) == 2
    assert read(tmp_path / "a.png").pixels.max() == 0
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_device_and_a_socket_are_refused(tmp_path, monkeypatch):
    (tmp_path / "null.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        for name in ("null.png", "socket.png"):
            with pytest.raises(ReadError, match="a pipe, a socket or a device"):
                read(tmp_path / name)
