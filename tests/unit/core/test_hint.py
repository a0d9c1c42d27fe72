"""Parameters in messages are shown in the syntax of each interface."""

import pytest

from imgpool.core.hint import Hint, render_hints
from imgpool.report.hints import with_options

EIGHT_BITS = f"add {Hint('filters', 'rescale_intensity:out=uint8')}, or {Hint('to', 'tiff')}"


def test_hint_reads_as_python_by_default():
    assert EIGHT_BITS == 'add `filters=["rescale_intensity:out=uint8"]`, or `to="tiff"`'
    assert f"raise {Hint('max_memory')}" == "raise `max_memory`"


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        (EIGHT_BITS, "add -f rescale_intensity:out=uint8, or --to tiff"),
        (f"raise {Hint('max_memory')}", "raise --max-memory"),
        (f"give {Hint('max_memory', '8GiB')}", "give --max-memory 8GiB"),
        (f"add {Hint('fresh', 'True')}", "add --fresh"),
        (f"use {Hint('output', 'my results')}", "use -o 'my results'"),
        ("see `imgpool filters gaussian`, `ulimit -f` and `sigma`", None),
    ],
)
def test_command_line_shows_its_own_options(hint, shown):
    assert with_options(hint) == (shown or hint)


def test_parameter_that_is_not_rendered_stays():
    assert render_hints(EIGHT_BITS, lambda _hint: None) == EIGHT_BITS
