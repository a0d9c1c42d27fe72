"""One file in, one file out: reading within limits, and writing that is whole or not there."""

import functools
import hashlib
import itertools
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from imgpool.core.catalogue import known_extensions, split_extension
from imgpool.core.errors import ReadError, UsageError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties

MAX_PIXELS = 2**32
"""Pixels in one file, over all its pages, unless ``--max-pixels`` says otherwise."""

SMALL = 256 * 1024**2
"""Decoded bytes that are never suspicious, however small the file."""

MAX_EXPANSION = 2000
"""Decoded bytes per byte of file; deflate reaches 1,032."""

PIECE = 64 * 1024
"""Bytes that are hashed at a time."""

_serial_numbers = itertools.count()


def read(path: FilePath) -> Image:
    """Read an image file.

    The limits of ``imgpool process`` apply: see `check_limits`.

    Parameters
    ----------
    path
        The file; its extension names the format.

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
    format_, status = format_of(path), os.stat(path)
    check_is_file(status)
    with format_.open(path) as reader:
        check_limits(reader.properties, status.st_size, MAX_PIXELS)
        return reader.read()


def check_is_file(status: os.stat_result) -> None:
    """Raise `ReadError` for a pipe, a socket or a device, which could block for ever."""
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise ReadError("it is a pipe, a socket or a device", "save what comes out of it as a file first")


def write(image: Image, path: FilePath, **options: object) -> tuple[str, ...]:
    """Write an image file, whole or not at all.

    Parameters
    ----------
    image
        What to write.
    path
        The file; its extension tells the format. An existing file is replaced.
    **options
        The format's own, as ``imgpool formats NAME`` lists them.

    Returns
    -------
    tuple of str
        What the format could not keep, such as "pixel_size"; empty when nothing was lost.

    Raises
    ------
    UsageError
        If the extension belongs to no known format, or an option does not fit.
    WriteError
        If the format cannot hold the pixels.
    OSError
        If the file cannot be written.
    """
    folder, name = os.path.split(path)
    temporary = temporary_name(folder, name)
    try:
        lost = write_with(format_of(path), image, temporary, options)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return lost


def format_of(path: FilePath) -> Format:
    """The format that a path's extension means; raises `UsageError` where there is none."""
    _, format_ = split_extension(os.path.basename(path))
    if format_ is None:
        raise UsageError(f"{os.fspath(path)}: no format has this extension", f"known: {known_extensions()}")
    return format_


def write_with(format_: Format, image: Image, path: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Write with the writer's options checked and its defaults filled in."""
    return format_.write(image, path, **_checked(format_, tuple(options.items())))


@functools.lru_cache(maxsize=16)
def _checked(format_: Format, options: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
    return format_.validate(dict(options))


def temporary_name(folder: str, name: str) -> str:
    """A path in `folder` that no other process or call uses, with the extension of `name`."""
    stem, _ = split_extension(name)
    return os.path.join(folder, f".imgpool-{os.getpid()}-{next(_serial_numbers)}{name[len(stem) :]}")


def check_limits(properties: Properties, file_size: int, max_pixels: int) -> None:
    """Raise `ReadError` if a header promises more than may be decoded."""
    if properties.pixel_count > max_pixels:
        raise ReadError(
            f"{properties.pixel_count:,} pixels are more than the {max_pixels:,} allowed",
            "raise --max-pixels if the file is sound",
        )
    if properties.nbytes > max(SMALL, MAX_EXPANSION * file_size):
        raise ReadError(
            f"the header promises {properties.nbytes:,} bytes of pixels in a file of {file_size:,}: it is damaged",
            "copy it again",
        )


def size_and_hash(path: FilePath) -> tuple[int, str]:
    """The number of a file's bytes, and their sha256 in hexadecimal."""
    digest = hashlib.sha256()
    return _feed(digest, path).st_size, digest.hexdigest()


def source_hash(path: FilePath) -> str:
    """What a source's bytes are known by when its time has moved; see `hash_source`."""
    return hash_source(path)[0]


def hash_source(path: FilePath) -> tuple[str, os.stat_result]:
    """128 bits of XXH3, which is ten times as fast as sha256, and the file's status when all was read."""
    import xxhash

    digest = xxhash.xxh3_128()
    status = _feed(digest, path)
    return digest.hexdigest(), status


class _Digest(Protocol):
    def update(self, piece: bytes, /) -> None: ...


def _feed(digest: _Digest, path: FilePath) -> os.stat_result:
    """Read a file to its end; its status then."""
    descriptor, read = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), 0
    try:
        while piece := os.read(descriptor, PIECE):
            digest.update(piece)
            read += len(piece)
            if len(piece) < PIECE and (status := os.fstat(descriptor)).st_size == read:  # as is usual: no need to ask
                return status
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def megapixels(path: FilePath) -> float:
    """Millions of pixels that a file's header promises; 0 where it cannot be read."""
    try:
        return format_of(path).properties(path).pixel_count / 1e6
    except (ReadError, OSError):
        return 0.0
