"""An output folder, photos to process, and a folder beside them that nothing may touch."""

import os
import signal

import pytest

from imgpool.system.memory_limit import memory_limited
from tests.support.small_runs import write_png

TIMEOUT_S = 30
MAX_MEMORY_BYTES = 1 << 30


@pytest.fixture
def outside(tmp_path):
    """A folder beside the output that nothing may touch; it looks as valuable as a state folder."""
    folder = tmp_path / "outside"
    (folder / "folder" / "tmp" / "0123456789abcdef").mkdir(parents=True)
    (folder / "folder" / "tmp" / "thesis.tex").write_text("years of work\n")
    (folder / "folder" / "lock").touch()
    (folder / "file").write_text("# start of a shell\n")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        write_png(folder / "trip" / f"{number}.png", 8)
    return folder


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out" / ".imgpool").mkdir(parents=True)
    return tmp_path / "out"


@pytest.fixture
def never_blocked():
    """End a test that waits for the other end of a pipe, or reads a device that never ends."""
    if not hasattr(signal, "SIGALRM"):
        pytest.skip("Windows has neither alarms nor pipes in folders, and links only for administrators")

    def blocked(_number, _frame):
        pytest.fail("blocked")  # not an `Exception`, which imgpool could take for the error of an image

    before = signal.signal(signal.SIGALRM, blocked)
    signal.alarm(TIMEOUT_S)
    with memory_limited(MAX_MEMORY_BYTES):
        yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["descriptors", pytest.param("paths", marks=pytest.mark.slow)])
def ways_to_open(request, monkeypatch):
    """Open folders as on Linux, or as on Windows, which has no descriptors of folders."""
    if request.param == "paths":
        for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_PATH"):
            monkeypatch.delattr(os, name, raising=False)
        monkeypatch.setattr(os, "supports_dir_fd", set())
