"""Lines on stdout."""

import contextlib
import io

import pytest
from rich.text import Text

from imgpool.report.stdout import print_lines


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def test_lines_are_printed_unchanged(capsys):
    print_lines(Text(text, "red") for text in ("x" * 300, ":smile: [bold]b[/bold] 12"))
    captured = capsys.readouterr()
    assert captured.out == "x" * 300 + "\n:smile: [bold]b[/bold] 12\n"
    assert captured.err == ""


def test_no_lines_print_nothing(capsys):
    print_lines([])
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_colours(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_lines([Text("a", "red"), Text("b")])
    assert capsys.readouterr().out == "\x1b[31ma\x1b[0m\nb\n"


def test_characters_that_the_encoding_lacks_are_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    with contextlib.redirect_stdout(stream):
        print_lines([Text("✗ µ.png")])
    assert stream.buffer.getvalue() == b"\\u2717 \\xb5.png\n"
