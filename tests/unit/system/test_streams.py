"""Streams whose reader has disappeared."""

import contextlib
import errno
import io
import os
import subprocess
import sys

import pytest

from imgpool.core.errors import RunError
from imgpool.system.streams import BestEffortStream, print_text, redirect_to_devnull


@pytest.fixture
def unread():
    """A text stream into a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        yield stream


class Full(io.StringIO):
    """A stream into a file on a full disk."""

    def write(self, _text):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_text_without_a_reader_is_discarded(unread):
    stream = BestEffortStream(unread)
    for _ in range(2):
        stream.write("x" * 100_000)
        stream.flush()
    unread.flush()  # as Python does when it exits


def test_text_with_a_reader_is_written():
    reader = io.StringIO()
    stream = BestEffortStream(reader)
    assert stream.write("µ\n") == 2
    assert reader.getvalue() == "µ\n"


def test_everything_else_is_delegated_to_the_stream(unread):
    stream = BestEffortStream(unread)
    assert stream.fileno() == unread.fileno()
    assert not stream.isatty()
    assert not hasattr(stream, "rich_proxied_file")


def test_stream_without_a_descriptor_can_be_redirected():
    redirect_to_devnull(io.StringIO())


def test_text_is_printed_at_once(capsys):
    print_text("a\nb")
    assert capsys.readouterr().out == "a\nb\n"


def test_printing_without_a_reader_is_no_error(unread):
    for stdout in (unread, None):
        with contextlib.redirect_stdout(stdout):
            print_text("x" * 100_000)
    unread.flush()


def test_printing_into_a_full_disk_is_an_error():
    with contextlib.redirect_stdout(Full()), pytest.raises(RunError, match="the disk is full"):
        print_text("x")


NEXT_FILE = """
import os, sys
from imgpool.system.streams import open_standard_streams
open_standard_streams()
with open(sys.argv[1], "w") as report:
    report.write(f"{report.fileno() > 2} {[os.get_inheritable(number) for number in range(3)]}")
"""


@pytest.mark.parametrize("closed", ["", "<&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_descriptor_of_a_stream(tmp_path, closed):
    report = tmp_path / "report"
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", NEXT_FILE, report]
    assert subprocess.run(command, check=False).returncode == 0
    assert report.read_text() == "True [True, True, True]"
