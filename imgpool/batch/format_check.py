"""Check before a run, from image headers, whether the output format can hold the results."""

import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from imgpool.batch.headers import HeaderReading, read_headers
from imgpool.core.catalogue import split_extension
from imgpool.core.errors import ImgpoolError, UsageError
from imgpool.core.format import Format
from imgpool.core.image import PixelSize, Properties
from imgpool.core.recipe import Recipe
from imgpool.core.refusal import refuse
from imgpool.core.task import Task

MAX_NAMED_FILES = 3

COMMON_KINDS = [
    Properties(shape, np.dtype(dtype), axes, PixelSize(1.0, 1.0))
    for dtype in ("uint8", "uint16", "float32")
    for shape, axes in (((64, 64), "YX"), ((64, 64, 3), "YXS"))
]
"""Properties of common kinds of images, to find out whether a recipe changes dtype or axes."""


class _Unsupported(NamedTuple):
    source: str
    message: str
    hint: str


def check_formats(tasks: Sequence[Task], recipe: Recipe, reading: HeaderReading | None = None) -> None:
    """Raise `UsageError` if an output format cannot hold a result, judging by the headers of the images.

    Headers are read only if the recipe changes the format, the dtype or the axes. A header that cannot be read is
    ignored: its own task will report the error. If the time is too short to read all of them, nothing is refused here:
    each image that cannot be written then fails alone.

    Parameters
    ----------
    tasks
        The images.
    recipe
        The recipe.
    reading
        How the headers are read; None for the default.
    """
    changes_pixels = any(_changes_pixels(recipe, kind) for kind in COMMON_KINDS)
    if not changes_pixels and recipe.output.format is None:
        return
    suspects = [task for task in tasks if changes_pixels or _changes_format(task)]
    found: list[_Unsupported] = []
    all_read = read_headers(
        suspects, partial(_find_unsupported, recipe), lambda _, unsupported: found.append(unsupported),
        reading or HeaderReading(),
    )  # fmt: skip
    if all_read and found:
        raise _unsupported_error(found)


def _unsupported_error(found: Sequence[_Unsupported]) -> UsageError:
    """Make an error that names the first files, and gives the reason and the hint of the very first."""
    named = ", ".join(each.source for each in found[:MAX_NAMED_FILES])
    more = f" and {len(found) - MAX_NAMED_FILES:,} more" if len(found) > MAX_NAMED_FILES else ""
    first = found[0]
    is_common = all(each.message == first.message for each in found)
    example = "" if is_common else f" (in {os.path.basename(first.source)})"
    return UsageError(f"{named}{more} cannot be written: {first.message}{example}", first.hint)


def _changes_pixels(recipe: Recipe, properties: Properties) -> bool:
    """Whether a recipe changes the dtype or the axes of an image."""
    try:
        result = recipe.infer_output(properties)
    except ImgpoolError:  # a filter does not accept this kind of image; such an image will fail by itself
        return False
    return (result.dtype, result.axes) != (properties.dtype, properties.axes)


def _changes_format(task: Task) -> bool:
    source_format, target_format = _formats(task)
    return source_format is not target_format


def _find_unsupported(recipe: Recipe, task: Task) -> _Unsupported | None:
    """Return why the result of an image cannot be written; None if it can. Runs where the header is read."""
    source_format, target_format = _formats(task)
    result = recipe.infer_output(source_format.properties(task.source))
    if target_format.can_hold(result):
        return None
    error = refuse(target_format, result)
    return _Unsupported(task.source, error.message, error.hint)


def _formats(task: Task) -> tuple[Format, Format]:
    """Return the formats of source and target."""
    _, source_format = split_extension(os.path.basename(task.source))
    _, target_format = split_extension(os.path.basename(task.target))
    assert source_format is not None
    assert target_format is not None
    return source_format, target_format
