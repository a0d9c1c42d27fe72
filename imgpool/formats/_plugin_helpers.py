"""What every format needs besides its own code, for authors of formats."""

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._lost import lost
from imgpool.formats._sniff import check_kind
from imgpool.formats._truncated import truncated


def wrong_file_error(path: FilePath, head: bytes, name: str) -> ReadError:
    """The error for a file that does not begin as one of this format does: it says what the file is instead.

    Parameters
    ----------
    path
        The file; only its name is used.
    head
        The first 512 bytes of the file, or all if there are fewer.
    name
        What users call the format, such as "PGM".
    """
    try:
        check_kind(path, head, name)
    except ReadError as error:
        return error
    return ReadError(f"this is not a {name}", "copy it again from where it came")


def truncated_error(fraction: float) -> ReadError:
    """The error for a file that ends too early, of which `fraction` (0 to 1) is present."""
    return truncated(fraction)


def not_stored(image: Image, *stored: str) -> tuple[str, ...]:
    """Name the metadata of an image that a format does not store: the return value of `Format.write`.

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
        If the format does not store EXIF, and the image's EXIF says that it must be turned.
    """
    return lost(image, *stored)
