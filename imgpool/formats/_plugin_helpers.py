"""Helpers for authors of formats, public through `imgpool.plugins`."""

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._errors import COPY_AGAIN, truncated
from imgpool.formats._lost_metadata import lost_metadata
from imgpool.formats._signatures import check_signature


def wrong_file_error(path: FilePath, head: bytes, name: str) -> ReadError:
    """Return the error for a file that does not start like one of this format; it says what the file is instead.

    Parameters
    ----------
    path
        The file; only its name is used.
    head
        The first 512 bytes of the file, or the whole file if it is shorter.
    name
        What users call the format, such as "PGM".
    """
    try:
        check_signature(path, head, name)
    except ReadError as error:
        return error
    return ReadError(f"this is not a {name}", COPY_AGAIN)


def truncated_error(fraction: float) -> ReadError:
    """Return the error for a file that ends too early, of which `fraction` (0 to 1) is present."""
    return truncated(fraction)


def not_stored(image: Image, *stored: str) -> tuple[str, ...]:
    """Return the names of the metadata that an image has and a format does not store, as `Format.write` does.

    Parameters
    ----------
    image
        The image that is written.
    stored
        What the format does store: "pixel_size", "dpi", "icc", "exif", "description", "xmp", "iptc", "texts",
        "channel_names" or "other_pictures".

    Raises
    ------
    WriteError
        If the format does not store EXIF, and the EXIF of the image says that it must be rotated or mirrored.
    """
    return lost_metadata(image, *stored)
