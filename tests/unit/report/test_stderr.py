"""The console on stderr: plain text for files, colours for terminals."""

import contextlib
import io

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


def written(stream, line):
    """Print a line on a stream in place of stderr; return what was written."""
    with contextlib.redirect_stderr(stream):
        stderr_console().print(line)
    return stream.getvalue()


def test_a_file_gets_plain_lines_of_any_length():
    assert (
        written(io.StringIO(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
        == "✗ [bold] :smile: " + "x" * 300 + "\n"
    )


def test_a_terminal_gets_the_same_text_in_colour():
    text = written(Terminal(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
    assert text == "\x1b[31m✗ [bold] :smile: " + "x" * 300 + "\x1b[0m\n"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_force_color_forces_colours(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert written(io.StringIO(), StyledLine("a", "red")) == "\x1b[31ma\x1b[0m\n"


def test_a_closed_stderr_is_no_error():
    with open("/dev/full", "w") as full, contextlib.redirect_stderr(full):
        stderr_console().print(StyledLine("a"))
    with contextlib.redirect_stderr(None):
        assert isinstance(stderr_console(), PlainConsole)
        stderr_console().print(StyledLine("a"))
