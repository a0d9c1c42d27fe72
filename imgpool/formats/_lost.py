"""What of an image's metadata an output format has no place for."""

from imgpool.core.errors import WriteError
from imgpool.core.exif import UPRIGHT, orientation
from imgpool.core.image import Image

_RGB_PROFILE, _GREY_PROFILE = b"RGB ", b"GRAY"  # bytes 16 to 19 of an ICC profile


def lost(image: Image, *kept: str) -> tuple[str, ...]:
    """The names of what the image says and the format does not keep.

    Parameters
    ----------
    image
        What is written.
    kept
        What is: "pixel_size", "dpi", "icc", "exif", "description", "xmp", "iptc", "texts" or "other_pictures".

    Raises
    ------
    WriteError
        If the EXIF block is not kept, and it alone says which way up the picture is.
    """
    metadata = image.metadata
    if "exif" not in kept and orientation(metadata.exif) != UPRIGHT:
        raise WriteError(
            f"the picture is stored turned (EXIF orientation {orientation(metadata.exif)}), "
            "and the output format has no place to say so",
            "add -f auto_orient",
        )
    said = {
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
    return tuple(name for name, value in said.items() if value and name not in kept)


def fitting_icc(image: Image) -> bytes | None:
    """The colour profile, unless it is one for RGB and the image is grey, or the other way round."""
    profile = image.metadata.icc
    colours = image.pixels.shape[-1] > 2 if image.has_samples else False  # noqa: PLR2004 - grey + alpha
    other = _GREY_PROFILE if colours else _RGB_PROFILE
    return None if profile and profile[16:20] == other else profile


def refuse_premultiplied(image: Image, name: str) -> None:
    """Raise `WriteError` if colours are already multiplied by alpha, for a format where they never are."""
    if image.has_alpha and image.metadata.premultiplied:
        raise WriteError(
            f"{name} holds colours that are not multiplied by alpha; those of this image are", "add --to tiff"
        )
