"""Hints in the syntax of the command line: ``--max-memory 8GiB`` for ``max_memory="8GiB"``."""

import shlex

from imgpool.core.hint import Hint, render_hints

_SHORT = {"filters": "-f", "output": "-o", "recipe": "-r"}
_LONG = {
    "chunksize", "dark", "engine", "force", "fresh", "limit", "max_memory", "max_pixels", "pixel_size", "retries",
    "sample", "serial", "timeout", "to", "workers",
}  # fmt: skip
_FLAGS = {"force", "fresh", "serial"}


def with_options(text: str) -> str:
    """Replace every parameter in a message or hint with the option of the command line that sets it."""
    return render_hints(text, _option)


def _option(hint: Hint) -> str | None:
    if hint.parameter in _SHORT:
        option = _SHORT[hint.parameter]
    elif hint.parameter in _LONG:
        option = f"--{hint.parameter.replace('_', '-')}"
    else:
        return None
    return option if not hint.value or hint.parameter in _FLAGS else f"{option} {shlex.quote(hint.value)}"
