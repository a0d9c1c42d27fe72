"""Parameters in messages and hints, which each interface shows in its own syntax.

A hint is plain text. `Hint` formats a parameter that the text mentions, in backticks and in Python syntax::

    raise WriteError("…", f"add {Hint('filters', 'to_uint8')}, or {Hint('to', 'tiff')}")
    # add `filters=["to_uint8"]`, or `to="tiff"`

Python users read it as it is. The command line replaces each parameter with its option (`render_hints`).
Because a hint is a plain string, it crosses process boundaries and is stored in the journal unchanged.
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
        Name of the parameter of `imgpool.process`: "max_memory".
    value
        Value to set, as text: "8GiB". Empty to name the parameter alone.
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
        Returns the replacement for one parameter; None to leave it as it is.
    """

    def replace(match: re.Match[str]) -> str:
        return render(Hint(match[1], match[2] or "")) or match[0]

    return _MENTION.sub(replace, text)
