"""Hints in the syntax of the command line: ``--max-memory 8GiB`` for ``max_memory="8GiB"``."""

import shlex

from imgpool.core.hint import Hint, render_hints

OPTIONS = {
    "chunksize": "--chunksize",
    "dark": "--dark",
    "engine": "--engine",
    "filters": "-f",
    "follow_output_links": "--follow-output-links",
    "force": "--force",
    "fresh": "--fresh",
    "if_exists": "--if-exists",
    "limit": "--limit",
    "max_memory": "--max-memory",
    "max_pixels": "--max-pixels",
    "output": "-o",
    "pixel_size": "--pixel-size",
    "plot": "--plot",
    "recipe": "-r",
    "retries": "--retries",
    "rounds": "--rounds",
    "sample": "--sample",
    "serial": "--serial",
    "timeout": "--timeout",
    "to": "--to",
    "verbose": "-v",
    "workers": "--workers",
}
"""The option that sets each parameter."""

FLAGS = {"follow_output_links", "force", "fresh", "serial", "verbose"}
"""Parameters whose option takes no value."""


def with_options(text: str) -> str:
    """Replace every parameter in a message or hint with the command-line option that sets it."""
    return render_hints(text, _option)


def _option(hint: Hint) -> str | None:
    option = OPTIONS.get(hint.parameter)
    if option is None or not hint.value or hint.parameter in FLAGS:
        return option
    return f"{option} {shlex.quote(hint.value)}"
