"""A folder of good and bad files: good ones are processed, bad ones are reported, and the run ends."""

import ctypes
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from imgpool import write
from imgpool.core.image import Image
from tests.support.hashes import output_hashes

GOOD = 6
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png():
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(2_000_000))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(GOOD):
        write(Image.from_array(rng.integers(0, 60000, (50, 60), dtype=np.uint16)), folder / f"good{number}.png")
    photo = Image.from_array(rng.integers(0, 255, (200, 300, 3), dtype=np.uint8))
    write(photo, folder / "truncated.jpg")
    data = (folder / "truncated.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(data[: len(data) * 6 // 10])
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.tif").write_text("not an image at all\n")
    (folder / "huge.png").write_bytes(huge_png())
    os.mkfifo(folder / "pipe.png")
    write(photo, folder / "unreadable.png")
    (folder / "unreadable.png").chmod(0)
    return folder


def drop_privileges():
    """Drop the capabilities that let root ignore file modes."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.parametrize("engine", ["serial", "pool"])
def test_good_images_are_processed_and_bad_ones_reported(imgpool, folder, tmp_path, engine):
    out = tmp_path / "out"
    bad = {"truncated.jpg", "zero.png", "text.tif", "huge.png", "unreadable.png"}
    arguments = ["process", folder, "-o", out, "-f", "gaussian:sigma=1", "--engine", engine]
    done = imgpool(*arguments, before=drop_privileges)
    assert done.code == 1, done.stderr
    lines = done.stderr.splitlines()
    named = {name for name in bad if any(line.startswith(f"✗ {name} · read · ") for line in lines)}
    assert named == bad, done.stderr
    assert "pipe.png ignored: a named pipe" in done.stderr
    assert {path.name for path in out.iterdir()} == {f"good{n}.png" for n in range(GOOD)} | {".imgpool"}
    assert not list((out / ".imgpool").glob("tmp/*"))


def test_every_broken_image_is_reported(imgpool, broken_images, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(broken_images, folder, ignore=shutil.ignore_patterns("*.py", "*.md", "__pycache__"))
    count = sum(path.is_file() for path in folder.iterdir())
    done = imgpool("process", folder, "-o", tmp_path / "out", "-r", "convert", "--json")
    assert done.code == 1
    assert (done.json["failed"], done.json["done"]) == (count, 0), done.stderr
    assert all(failure["message"] and failure["stage"] == "read" for failure in done.json["failures"])


def test_image_above_max_pixels_is_refused(imgpool, folder, tmp_path):
    done = imgpool("process", folder / "good0.png", "-o", tmp_path / "out", "--serial", "--max-pixels", 2999)
    assert done.code == 1
    assert "--max-pixels" in done.stderr


@pytest.fixture(scope="module")
def noise(imgpool, tmp_path_factory):
    """Images that keep two workers busy for a second or two, and the outputs of an undisturbed run."""
    folder = tmp_path_factory.mktemp("noise")
    (folder / "in").mkdir()
    rng = np.random.default_rng(0)
    for index in range(30):
        write(Image.from_array(rng.integers(0, 255, (300, 300), dtype=np.uint8)), folder / "in" / f"{index}.png")
    imgpool("process", folder / "in", "-o", folder / "out", "-f", "median:radius=9", "-j", 2)
    return folder / "in", folder / "out"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_continues(imgpool, noise, tmp_path, number, code):
    folder, undisturbed = noise
    command = ["process", folder, "-o", tmp_path / "out", "-f", "median:radius=9", "-j", 2, "--chunksize", 1]
    running = subprocess.Popen(
        [sys.executable, "-m", "imgpool", *map(str, command)],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT) if number == signal.SIGINT else running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code, stderr
    assert "Traceback" not in stderr
    assert "run the same command again to continue" in stderr

    again = imgpool(*command, "--json")
    assert again.code == 0
    assert again.json["done"] + again.json["skipped"] == 30
    assert output_hashes(tmp_path / "out") == output_hashes(undisturbed)
