"""Writing TIFF files: in the flavour of the source (plain, OME or ImageJ), or in one that stores everything."""

import math
import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from imgpool.core.axes import Pixels, page_shape
from imgpool.core.format import FilePath
from imgpool.core.image import Image, PixelSize
from imgpool.formats._log_silencer import LogSilencer
from imgpool.formats._lost_metadata import matching_icc, not_stored
from imgpool.formats._resolution import is_microscopic, pixels_per_unit
from imgpool.formats.tiff import _imagej as imagej
from imgpool.formats.tiff import _ome as ome
from imgpool.formats.tiff._exif import write_exif

_INVALID_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|[\ud800-\udfff]|[\ufffe\uffff]")  # 4 ms as one class
_XMP, _IPTC, _BYTE = 700, 33723, 1  # two tags and a type
_MAX_RATIONAL = 2**32 - 1
_GREY_ALPHA, _RGBA = 2, 4  # numbers of samples
_WITH_PREDICTOR = {"lzw", "zstd"}  # store differences between neighbours; ImageJ misreads deflate with a predictor
_WITH_LEVEL = {"deflate", "zstd"}
_OTHER_DESCRIPTIONS = ("ImageJ=", "SCIFIO=", '{"shape"')  # a free text that starts like this would be misinterpreted


@dataclass(frozen=True, slots=True)
class Description:
    """How a flavour describes an image.

    Attributes
    ----------
    text
        ImageDescription of the first page.
    arguments
        Further arguments for tifffile.
    tags
        Private tags, as tifffile takes them.
    stored
        Names of the metadata that all this stores.
    """

    text: bytes | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    tags: tuple[tuple[Any, ...], ...] = ()
    stored: tuple[str, ...] = ()


def write_image(
    image: Image, path: FilePath, *, compression: str, level: int, tile: int | None, bigtiff: bool
) -> tuple[str, ...]:
    """Write an image; see `Tiff.write`."""
    import tifffile

    image = _with_valid_texts(image)
    description = _DESCRIBERS[choose_flavour(image, bigtiff=bigtiff)](image)
    stored = [*description.stored, "xmp", *(["iptc"] if image.metadata.extra.get("tiff_iptc") else [])]
    arguments = {**_colour_arguments(image), **_encoding_arguments(image, compression, level, tile)}
    arguments |= description.arguments
    profile = matching_icc(image)
    if profile:
        arguments["iccprofile"] = profile
        stored.append("icc")
    with open(path, "w+b") as file, LogSilencer():
        tifffile.imwrite(
            file, _pages(image, arguments), byteorder="<", bigtiff=bigtiff or None, ome=False, imagej=False,
            description=description.text, software=False, maxworkers=1,
            extratags=[*description.tags, *_raw_tags(image)], **arguments,
        )  # fmt: skip
        if image.metadata.exif and write_exif(file, image.metadata.exif):
            stored.append("exif")
    return not_stored(image, *stored)


def choose_flavour(image: Image, *, bigtiff: bool = False) -> str:
    """Return the flavour that describes an image: "ome", "imagej" or "plain".

    The flavour of the source is kept if it can describe the image. ImageJ has no 32-bit integers, for example: labels
    of 32 bits become OME-TIFF, with their axes and pixel size.
    """
    source_flavour = image.metadata.flavour
    if source_flavour == "imagej" and imagej.can_describe(image.properties) and not bigtiff:
        return "imagej"
    needs_ome = (_has_named_axes(image) and source_flavour != "plain") or _exceeds_plain(image)
    if (source_flavour == "ome" or needs_ome) and ome.can_describe(image.properties):
        return "ome"
    return "plain"


def _has_named_axes(image: Image) -> bool:
    """Whether there are leading axes with a meaning."""
    return _leading_axes(image) not in {"", "I"}


def _exceeds_plain(image: Image) -> bool:
    """Whether the image has channel names or a pixel size that a plain TIFF cannot store."""
    return bool(image.metadata.channel_names) or (
        image.pixel_size is not None and not _fits_resolution(image.pixel_size)
    )


def _fits_resolution(size: PixelSize) -> bool:
    """Whether the resolution tags store this pixel size."""
    return size.z is None and is_microscopic(size)


def _leading_axes(image: Image) -> str:
    return image.axes[: image.axes.index("Y")]


def _describe_ome(image: Image) -> Description:
    names = ("channel_names",) if len(image.metadata.channel_names) == _channel_count(image) else ()
    resolution = _resolution_arguments(image)
    return Description(
        text=ome.describe(image),
        arguments={"metadata": None, **resolution},
        stored=("pixel_size", "description", *names, *_stored_dpi(image, resolution)),
    )


def _describe_imagej(image: Image) -> Description:
    text, tags = imagej.describe(image)
    names = ("channel_names",) if imagej.has_channel_names(image) else ()
    size = image.pixel_size
    arguments = _resolution_arguments(image)
    if size is not None:
        arguments = {"resolution": (_rational(1 / size.x), _rational(1 / size.y)), "resolutionunit": "NONE"}
    colormap = image.metadata.extra.get("imagej", {}).get("colormap")
    if colormap is not None and image.pixels.dtype.name == "uint8" and not image.has_samples:
        arguments |= {"colormap": colormap, "photometric": "palette"}
    stored = ("pixel_size", "description", *names, *_stored_dpi(image, arguments))
    return Description(text, {"metadata": None, **arguments}, tuple(tags), stored)


def _describe_plain(image: Image) -> Description:
    resolution = _resolution_arguments(image)
    stored = list(_stored_dpi(image, resolution))
    text = image.metadata.description
    is_free = _is_free_text(text)
    if is_free:
        stored.append("description")
    if image.pixel_size is not None and _fits_resolution(image.pixel_size):
        stored.append("pixel_size")
    return Description(
        text=text.encode() if text and is_free else None,
        arguments={"metadata": _shape_metadata(image), **resolution},
        stored=tuple(stored),
    )


def _is_free_text(text: str) -> bool:
    """Whether no reader would take a description for that of another program."""
    return not (text.startswith(_OTHER_DESCRIPTIONS) or text.rstrip().endswith("OME>"))


def _shape_metadata(image: Image) -> dict[str, Any] | None:
    """Return tifffile's argument ``metadata``: the axes; empty to store only the shape; None to store neither."""
    if _has_named_axes(image):
        return {"axes": image.axes}
    has_page_shape = image.metadata.extra.get("page_shape") and _leading_axes(image) == "I"
    return {} if has_page_shape else None


_DESCRIBERS = {"ome": _describe_ome, "imagej": _describe_imagej, "plain": _describe_plain}


def _pages(image: Image, arguments: dict[str, Any]) -> Pixels:
    """Return the pixels in the shape from which tifffile writes one page for each plane."""
    pixels = image.pixels
    plane = pixels.shape[len(page_shape(image.axes, pixels.shape)) :]
    if arguments["metadata"] is None:
        return pixels.reshape(-1, *plane) if image.properties.pages > 1 else pixels.reshape(plane)
    stored_page_shape = image.metadata.extra.get("page_shape", ())
    if not arguments["metadata"] and image.properties.pages == math.prod(stored_page_shape):
        return pixels.reshape(*stored_page_shape, *plane)
    return pixels


def _colour_arguments(image: Image) -> dict[str, Any]:
    """Return tifffile's arguments about colours; without them it would guess."""
    if not image.has_samples:
        return {"photometric": "minisblack"}
    samples = image.pixels.shape[-1]
    arguments = {"photometric": "rgb" if samples > _GREY_ALPHA else "minisblack", "planarconfig": "contig"}
    if not image.has_alpha:
        return arguments
    is_unspecified = samples == _RGBA and image.metadata.extra.get("unspecified_sample")
    alpha = "assocalpha" if image.metadata.premultiplied else "unspecified" if is_unspecified else "unassalpha"
    return {**arguments, "extrasamples": [alpha]}


def _encoding_arguments(image: Image, compression: str, level: int, tile: int | None) -> dict[str, Any]:
    """Return tifffile's arguments for compression and tiles; floats get no predictor, which few readers support."""
    arguments: dict[str, Any] = {"tile": (tile, tile)} if tile else {}
    if compression == "none":
        return arguments
    arguments["compression"] = "adobe_deflate" if compression == "deflate" else compression  # the standard's number, 8
    if compression in _WITH_LEVEL:
        arguments["compressionargs"] = {"level": level}
    if compression in _WITH_PREDICTOR and image.pixels.dtype.kind in "iu":
        arguments["predictor"] = "horizontal"
    return arguments


def _resolution_arguments(image: Image) -> dict[str, Any]:
    microscopic = is_microscopic(image.pixel_size)
    density = pixels_per_unit(image, "cm" if microscopic else "inch")
    if density is None:
        return {}
    horizontal, vertical = density
    unit = "CENTIMETER" if microscopic else "INCH"
    return {"resolution": (_rational(horizontal), _rational(vertical)), "resolutionunit": unit}


def _stored_dpi(image: Image, arguments: dict[str, Any]) -> tuple[str, ...]:
    """Return the name of the resolution for print if these arguments store it."""
    return ("dpi",) if arguments.get("resolutionunit") == "INCH" and image.metadata.dpi else ()


def _rational(value: float) -> tuple[int, int]:
    """Return the fraction of two 32-bit integers that is closest to a positive number."""
    if value < 1:
        denominator, numerator = _rational(1 / value)
        return numerator, denominator
    fraction = Fraction(value).limit_denominator(max(1, int(_MAX_RATIONAL / value)))
    return min(fraction.numerator, _MAX_RATIONAL), fraction.denominator


def _with_valid_texts(image: Image) -> Image:
    """Return the image without the characters that neither XML nor the texts of TIFF can store."""
    metadata = image.metadata
    names = tuple(_INVALID_CHARACTERS.sub("", name) for name in metadata.channel_names)
    text = _INVALID_CHARACTERS.sub("", metadata.description)
    return replace(image, metadata=replace(metadata, channel_names=names, description=text))


def _channel_count(image: Image) -> int:
    return int(image.pixels.shape[image.axes.index("C")]) if "C" in image.axes else 1


def _raw_tags(image: Image) -> list[tuple[Any, ...]]:
    """Return the tags that are written as they were read."""
    extra = image.metadata.extra
    contents = {_XMP: extra.get("xmp"), _IPTC: extra.get("tiff_iptc")}
    return [(tag, _BYTE, len(content), content, True) for tag, content in contents.items() if content]
