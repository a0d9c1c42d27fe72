"""Files and folders that a user may not read or write: the message, and whether following the hint helps."""

import os
import subprocess
import sys

import numpy as np
import pytest

from imgpool import Image, write

UNPRIVILEGED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
IMAGE = Image.from_array(np.random.default_rng(0).integers(0, 60000, (20, 30), np.uint16))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    write(IMAGE, folder / "a.png")
    return folder


@pytest.fixture
def set_mode():
    """Set the modes of paths, and make them accessible again at the end."""
    changed = []

    def set_mode(path, mode):
        changed.append(path)
        path.chmod(mode)

    yield set_mode
    for path in changed:
        path.chmod(0o755)


def unprivileged(*arguments):
    """Run imgpool as a user who is bound by file modes, which root is not."""
    command = [*UNPRIVILEGED, sys.executable, "-m", "imgpool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_read_only_output_is_refused(photos, tmp_path, set_mode):
    (tmp_path / "out").mkdir()
    set_mode(tmp_path / "out", 0o555)
    done = unprivileged("process", photos, "-o", tmp_path / "out", "--serial")
    assert done.returncode == 3
    hint = "allow it with chmod -R +w, or choose another folder with -o"
    assert f"cannot be written (permission denied)\n  → {hint}\n" in done.stderr


def test_unreadable_folder_fails_until_the_hint_is_followed(photos, set_mode):
    (photos / "closed").mkdir()
    write(IMAGE, photos / "closed" / "b.png")
    set_mode(photos / "closed", 0)
    done = unprivileged("process", photos, "-o", photos.parent / "out", "--serial")
    assert (done.returncode, "closed · read · it cannot be read" in done.stderr) == (1, True)
    assert "chmod +rX" in done.stderr
    subprocess.run(["chmod", "+rX", photos / "closed"], check=True)
    assert unprivileged("process", photos, "-o", photos.parent / "out", "--serial").returncode == 0


def test_file_in_an_unreadable_folder_is_not_reported_as_missing(photos, set_mode):
    set_mode(photos, 0)
    done = unprivileged("process", photos / "a.png", "-o", photos.parent / "out", "--serial")
    assert (done.returncode, "it cannot be read (permission denied)" in done.stderr) == (1, True)
