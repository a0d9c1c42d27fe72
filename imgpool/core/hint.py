"""Remedies in error messages, written in terms of parameters so that each interface can show its own syntax.

A hint is a text. A parameter that it mentions is written by `Hint`, in backticks and in Python's syntax::

    raise WriteError("…", f"add {Hint('filters', 'to_uint8')}, or {Hint('to', 'tiff')}")
    # add `filters=["to_uint8"]`, or `to="tiff"`

A Python user reads it as it stands. The command line replaces each parameter with its option (`render_hints`).
Because a hint stays a plain string, it crosses process boundaries and is stored in the journal unchanged.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

_LISTS = {"filters", "inputs"}
_MENTION = re.compile(r'`([a-z_]+)(?:=\[?"([^"`]*)"\]?)?`')


class Hint(NamedTuple):
    """A parameter to set.

    Attributes
    ----------
    parameter
        Its name in `imgpool.process`: "max_memory".
    value
        The value to give it, as text: "8GiB". Empty to name the parameter alone.
    """

    parameter: str
    value: str = ""

    def __str__(self) -> str:
        if not self.value:
            return f"`{self.parameter}`"
        value = f'["{self.value}"]' if self.parameter in _LISTS else f'"{self.value}"'
        return f"`{self.parameter}={value}`"


def render_hints(text: str, render: Callable[[Hint], str | None]) -> str:
    """Replace every parameter that a text mentions.

    Parameters
    ----------
    text
        A message or a hint.
    render
        Returns the replacement of one parameter; None leaves it as it is.
    """

    def replace(match: re.Match[str]) -> str:
        return render(Hint(match[1], match[2] or "")) or match[0]

    return _MENTION.sub(replace, text)
