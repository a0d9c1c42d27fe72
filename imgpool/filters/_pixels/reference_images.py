"""Image files that filters refer to; headers are checked before a run starts, and each worker reads a file once."""

import os
import stat
from dataclasses import replace

import numpy as np

from imgpool.core.catalogue import known_extensions, split_extension
from imgpool.core.errors import ReadError, RecipeError, WorkerError
from imgpool.core.format import Format
from imgpool.core.image import Image, Properties
from imgpool.core.limits import check_memory
from imgpool.core.reference import Reference
from imgpool.system.resources import available_memory


def reference_properties(reference: Reference, owner: str) -> Properties:
    """Return the properties of a reference image, without its axes of length 1.

    Parameters
    ----------
    reference
        The file.
    owner
        Filter and parameter, for messages, such as "flat_field: dark".

    Raises
    ------
    RecipeError
        If the file is not an image, or its header is damaged.
    """
    format_ = _format(reference, owner)
    try:
        properties = format_.properties(reference.path)
    except (ReadError, OSError) as error:
        raise RecipeError(*_message_and_hint(reference, owner, error)) from error
    shape, axes = _squeeze_axes(properties.shape, properties.axes)
    return replace(properties, shape=shape, axes=axes)


def read_reference(reference: Reference, owner: str) -> Image:
    """Read a reference image, without its axes of length 1.

    Raises
    ------
    WorkerError
        If the file cannot be read, or its values do not fit into memory.
    """
    try:
        with _format(reference, owner).open(reference.path) as reader:
            check_memory(replace(reader.properties, dtype=np.dtype(np.float64)), available_memory)
            image = reader.read()
    except (ReadError, RecipeError, OSError) as error:
        raise WorkerError(*_message_and_hint(reference, owner, error)) from error
    shape, axes = _squeeze_axes(image.pixels.shape, image.axes)
    return image.with_pixels(image.pixels.reshape(shape), axes)


def format_size(properties: Properties) -> str:
    """Return the size of a plane as text: width × height."""
    y = properties.axes.index("Y")
    return f"{properties.shape[y + 1]}×{properties.shape[y]} px"


def _format(reference: Reference, owner: str) -> Format:
    _, format_ = split_extension(os.path.basename(reference.path))
    if format_ is None:
        raise RecipeError(
            f"{owner}={reference} has an unknown extension", f"supported extensions: {known_extensions()}"
        )
    try:
        is_regular = stat.S_ISREG(os.stat(reference.path).st_mode)
    except OSError as error:
        raise RecipeError(*_message_and_hint(reference, owner, error)) from error
    if not is_regular:
        raise RecipeError(f"{owner}={reference} is not a regular file", "name an image file")
    return format_


def _message_and_hint(reference: Reference, owner: str, error: Exception) -> tuple[str, str]:
    if isinstance(error, RecipeError):
        return error.message, error.hint
    reason = error.message if isinstance(error, ReadError) else getattr(error, "strerror", None) or str(error)
    hint = error.hint if isinstance(error, ReadError) else ""
    return f"{owner}={reference} cannot be read: {reason}", hint or "check the file"


def _squeeze_axes(shape: tuple[int, ...], axes: str) -> tuple[tuple[int, ...], str]:
    kept = [(n, letter) for n, letter in zip(shape, axes, strict=True) if n > 1 or letter in "YXS"]
    return tuple(n for n, _ in kept), "".join(letter for _, letter in kept)
