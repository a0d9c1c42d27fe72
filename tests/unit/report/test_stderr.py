"""The console on stderr: plain text for files, colours for terminals."""

import io
import sys

import pytest

from imgpool.report.stderr import PlainConsole, stderr_console
from imgpool.report.text import StyledLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def written(monkeypatch):
    """Print a line on a stream in place of stderr; return what was written."""

    def written(stream, line):
        monkeypatch.setattr(sys, "stderr", stream)
        stderr_console().print(line)
        return stream.getvalue()

    return written


def test_a_file_gets_plain_lines_of_any_length(written):
    assert (
        written(io.StringIO(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
        == "✗ [bold] :smile: " + "x" * 300 + "\n"
    )


def test_a_terminal_gets_the_same_text_in_colour(written):
    text = written(Terminal(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
    assert text == "\x1b[31m✗ [bold] :smile: " + "x" * 300 + "\x1b[0m\n"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_force_color_forces_colours(written, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert written(io.StringIO(), StyledLine("a", "red")) == "\x1b[31ma\x1b[0m\n"


def test_a_closed_stderr_is_no_error(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        stderr_console().print(StyledLine("a"))
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(stderr_console(), PlainConsole)
    stderr_console().print(StyledLine("a"))
