"""Stderr as people see it: plain where it is no terminal, and rich's where it is, or passes for one."""

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
    """Print a line on a stderr of this kind; what was written."""

    def written(stream, line):
        monkeypatch.setattr(sys, "stderr", stream)
        stderr_console().print(line)
        return stream.getvalue()

    return written


def test_what_is_no_terminal_gets_plain_lines_of_any_length(written):
    assert (
        written(io.StringIO(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
        == "✗ [bold] :smile: " + "x" * 300 + "\n"
    )


def test_a_terminal_gets_colours_and_the_same_text(written):
    text = written(Terminal(), StyledLine("✗ [bold] :smile: " + "x" * 300, "red"))
    assert text == "\x1b[31m✗ [bold] :smile: " + "x" * 300 + "\x1b[0m\n"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_what_passes_for_a_terminal_gets_colours(written, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert written(io.StringIO(), StyledLine("a", "red")) == "\x1b[31ma\x1b[0m\n"


def test_no_audience_is_no_trouble(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        stderr_console().print(StyledLine("a"))
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(stderr_console(), PlainConsole)
    stderr_console().print(StyledLine("a"))
