"""Metadata that an output format cannot store."""

from imgpool.core.errors import WriteError
from imgpool.core.exif import UPRIGHT, orientation
from imgpool.core.hint import Hint
from imgpool.core.image import Image

_RGB_PROFILE, _GREY_PROFILE = b"RGB ", b"GRAY"  # bytes 16 to 19 of an ICC profile
_MAX_GREY_SAMPLES = 2  # grey and alpha


def not_stored(image: Image, *stored: str) -> tuple[str, ...]:
    """Return the names of the metadata that an image has and a format does not store.

    Parameters
    ----------
    image
        The image that is written.
    stored
        Names of what is stored: "pixel_size", "dpi", "icc", "exif", "channel_names", "description", "xmp", "iptc",
        "texts" or "other_pictures".

    Raises
    ------
    WriteError
        If the EXIF block is not stored, and only its orientation says which way up the image is.
    """
    metadata = image.metadata
    if "exif" not in stored and orientation(metadata.exif) != UPRIGHT:
        raise WriteError(
            f"its pixels are stored rotated (EXIF orientation {orientation(metadata.exif)}), "
            "and the output format cannot store the orientation",
            f"add {Hint('filters', 'auto_orient')}",
        )
    values = {
        "pixel_size": image.pixel_size,
        "dpi": metadata.dpi,
        "icc": metadata.icc,
        "exif": metadata.exif,
        "channel_names": metadata.channel_names,
        "description": metadata.description,
        "xmp": metadata.extra.get("xmp"),
        "iptc": metadata.extra.get("jpeg_iptc") or metadata.extra.get("tiff_iptc"),
        "texts": metadata.extra.get("png_texts"),
        "other_pictures": metadata.extra.get("other_pictures"),
    }
    return tuple(name for name, value in values.items() if value and name not in stored)


def matching_icc(image: Image) -> bytes | None:
    """Return the colour profile, unless it is for RGB and the image is grey, or the other way round."""
    profile = image.metadata.icc
    is_colour = image.has_samples and image.pixels.shape[-1] > _MAX_GREY_SAMPLES
    wrong_kind = _GREY_PROFILE if is_colour else _RGB_PROFILE
    return None if profile and profile[16:20] == wrong_kind else profile


def check_straight_alpha(image: Image, format_name: str) -> None:
    """Raise `WriteError` if the colours are already multiplied by alpha, which the format cannot store."""
    if image.has_alpha and image.metadata.premultiplied:
        raise WriteError(
            f"its colours are already multiplied by alpha (premultiplied), which {format_name} cannot store",
            f"add {Hint('to', 'tiff')}",
        )
