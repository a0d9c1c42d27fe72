"""Read and write single image files: within limits, and never leaving a partial file."""

import functools
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from imgpool.core.catalogue import known_extensions, split_extension
from imgpool.core.errors import ReadError, UsageError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image
from imgpool.core.limits import MAX_PIXELS, check_limits, check_memory
from imgpool.system.files import open_binary
from imgpool.system.paths import openable
from imgpool.system.process_id import process_id
from imgpool.system.resources import available_memory

HASH_BLOCK_BYTES = 64 * 1024
"""Bytes that are read and hashed at a time."""

_serial_numbers = itertools.count()


def read(path: FilePath, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read an image file.

    The limits of ``imgpool process`` apply: see `imgpool.core.limits`.

    Parameters
    ----------
    path
        The file; its extension names the format.
    max_pixels
        Most pixels that it may have, over all its pages.

    Returns
    -------
    Image
        Pixels in the dtype of the file, with axes, pixel size and metadata.

    Raises
    ------
    UsageError
        If the extension belongs to no known format.
    ReadError
        If the file is too large, not what its extension says, damaged, truncated, or not a regular file.
    OSError
        If it cannot be opened.
    """
    format_, opened = format_of(path), openable(os.fspath(path))
    check_is_file(os.stat(opened))
    with format_.open(opened) as reader:
        check_limits(reader.properties, max_pixels)
        check_memory(reader.properties, available_memory)
        return reader.read()


def check_is_file(status: os.stat_result) -> None:
    """Raise `ReadError` for a pipe, a socket or a device, which could block for ever."""
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ReadError("it is a pipe, a socket or a device", "save what comes out of it as a file first")


def write(image: Image, path: FilePath, **options: object) -> tuple[str, ...]:
    """Write an image file, completely or not at all.

    Parameters
    ----------
    image
        The image.
    path
        The file; its extension names the format. An existing file is replaced.
    **options
        Options of the format; ``imgpool formats NAME`` lists them.

    Returns
    -------
    tuple of str
        Names of the metadata that the format cannot store, such as "pixel_size"; usually empty.

    Raises
    ------
    UsageError
        If the extension belongs to no known format, or the format has no such option.
    WriteError
        If the format cannot hold the image.
    OSError
        If the file cannot be written.
    """
    format_, temporary = format_and_temporary(path, os.path.dirname(path) or os.curdir)
    try:
        lost = write_as(format_, image, temporary, options)
        os.replace(temporary, openable(os.fspath(path)))
    finally:
        Path(temporary).unlink(missing_ok=True)
    return lost


def format_of(path: FilePath) -> Format:
    """Return the format that a path's extension names; raise `UsageError` if there is none."""
    _, format_ = split_extension(os.path.basename(path))
    if format_ is None:
        raise _unknown_format_error(path)
    return format_


def _unknown_format_error(path: FilePath) -> UsageError:
    return UsageError(f"{os.fspath(path)}: no format has this extension", f"known: {known_extensions()}")


def format_and_temporary(path: FilePath, folder: str) -> tuple[Format, str]:
    """Return the format that a path's extension names, and a temporary path with this extension.

    Parameters
    ----------
    path
        Path of the final file.
    folder
        Folder of the temporary file, whose name no other process or call uses.

    Raises
    ------
    UsageError
        If the extension belongs to no known format.
    """
    name = os.path.basename(path)
    stem, format_ = split_extension(name)
    if format_ is None:
        raise _unknown_format_error(path)
    unique = f"{_random_part(process_id())}-{next(_serial_numbers)}"
    return format_, openable(f"{folder}{os.sep}.imgpool-{unique}{name[len(stem) :]}")


@functools.lru_cache(1)
def _random_part(process: int) -> str:
    """Return what the names of a process have in common; nobody can put a link at a name that cannot be guessed."""
    return f"{process}-{os.urandom(8).hex()}"


def write_as(format_: Format, image: Image, path: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Write an image in a given format; the options are validated, and defaults filled in."""
    return format_.write(image, path, **_validated_options(format_, tuple(options.items())))


@functools.lru_cache(maxsize=16)
def _validated_options(format_: Format, options: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
    return format_.validate(dict(options))


def size_and_hash(path: FilePath) -> tuple[int, str]:
    """Return the size of a file in bytes, and its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    return _update(digest, path).st_size, digest.hexdigest()


def source_hash(path: FilePath) -> str:
    """Return the hash by which a source is recognised after its time has changed."""
    return source_hash_and_status(path)[0]


def source_hash_and_status(path: FilePath) -> tuple[str, os.stat_result]:
    """Return the 128-bit XXH3 of a file, ten times as fast as SHA-256, and its status after it was read."""
    digest = _source_digest_type()()
    status = _update(digest, path)
    return digest.hexdigest(), status


class _Digest(Protocol):
    def update(self, block: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@functools.cache
def _source_digest_type() -> Callable[[], _Digest]:
    import xxhash

    return xxhash.xxh3_128


def _update(digest: _Digest, path: FilePath) -> os.stat_result:
    """Add a whole file to a digest; return the status of the file afterwards."""
    descriptor, size = open_binary(path, os.O_RDONLY), 0
    try:
        while block := os.read(descriptor, HASH_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if len(block) < HASH_BLOCK_BYTES and (status := os.fstat(descriptor)).st_size == size:  # saves a last read
                return status
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
