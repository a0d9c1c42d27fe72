"""Writing TIFF: in the words of the source (plain, OME or ImageJ), or in those that lose nothing."""

import math
import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from imgpool.core.axes import page_shape
from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._log_silencer import LogSilencer
from imgpool.formats._lost_metadata import lost_metadata, matching_icc
from imgpool.formats._resolution import is_microscopic, pixels_per_unit
from imgpool.formats.tiff import _imagej as imagej
from imgpool.formats.tiff import _ome as ome
from imgpool.formats.tiff._exif import write_exif

_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|[\ud800-\udfff]|[\ufffe\uffff]")  # one class takes 4 ms
_XMP, _IPTC, _BYTE = 700, 33723, 1
_LARGEST_RATIONAL = 2**32 - 1
_DIFFERENCED = {"lzw", "zstd"}  # stored as differences between neighbours; ImageJ misreads deflate with those
_LEVELLED = {"deflate", "zstd"}
_OTHERS_WORDS = ("ImageJ=", "SCIFIO=", '{"shape"')  # free text that would be taken for something else


@dataclass(frozen=True, slots=True)
class Description:
    """How a flavour describes an image.

    Attributes
    ----------
    text
        The first page's ImageDescription.
    arguments
        For tifffile, beside the text.
    tags
        Private tags, as tifffile takes them.
    kept
        What of the metadata is in there.
    """

    text: bytes | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    tags: tuple[tuple[Any, ...], ...] = ()
    kept: tuple[str, ...] = ()


def write_image(
    image: Image, path: FilePath, *, compression: str, level: int, tile: int | None, bigtiff: bool
) -> tuple[str, ...]:
    """See `Tiff.write`."""
    import tifffile

    image = _with_clean_texts(image)
    described = _DESCRIBERS[choose_flavour(image, bigtiff=bigtiff)](image)
    kept = [*described.kept, "xmp", *(["iptc"] if image.metadata.extra.get("tiff_iptc") else [])]
    arguments = {**_colours(image), **_encoding(image, compression, level, tile), **described.arguments}
    profile = matching_icc(image)
    if profile:
        arguments["iccprofile"] = profile
        kept.append("icc")
    with open(path, "w+b") as file, LogSilencer():
        tifffile.imwrite(
            file, _planes(image, arguments), byteorder="<", bigtiff=bigtiff or None, ome=False, imagej=False,
            description=described.text, software=False, maxworkers=1,
            extratags=[*described.tags, *_packets(image)], **arguments,
        )  # fmt: skip
        if image.metadata.exif and write_exif(file, image.metadata.exif):
            kept.append("exif")
    return lost_metadata(image, *kept)


def choose_flavour(image: Image, *, bigtiff: bool = False) -> str:
    """The words to describe the image in: "ome", "imagej" or "plain".

    The source's flavour is kept where it can hold the image. ImageJ has no integers of 32 bits, for one: such
    an image, of labels for instance, becomes OME-TIFF, with its axes and its pixel size.
    """
    properties, metadata = image.properties, image.metadata
    if metadata.flavour == "imagej" and imagej.can_describe(properties) and not bigtiff:
        return "imagej"
    leading = properties.axes[: properties.axes.index("Y")]
    named = leading not in {"", "I"} and metadata.flavour != "plain"
    size = image.pixel_size
    more = bool(metadata.channel_names) or (size is not None and (size.z is not None or not is_microscopic(size)))
    if (metadata.flavour == "ome" or named or more) and ome.can_describe(properties):
        return "ome"
    return "plain"


def _describe_ome(image: Image) -> Description:
    names = ("channel_names",) if len(image.metadata.channel_names) == _channels(image) else ()
    resolution = _resolution(image)
    return Description(
        text=ome.describe(image),
        arguments={"metadata": None, **resolution},
        kept=("pixel_size", "description", *names, *_kept_dpi(image, resolution)),
    )


def _describe_imagej(image: Image) -> Description:
    text, tags = imagej.describe(image)
    names = ("channel_names",) if imagej.names_fit(image) else ()
    size = image.pixel_size
    arguments = _resolution(image)
    if size is not None:
        arguments = {"resolution": (_rational(1 / size.x), _rational(1 / size.y)), "resolutionunit": "NONE"}
    colormap = image.metadata.extra.get("imagej", {}).get("colormap")
    if colormap is not None and image.pixels.dtype.name == "uint8" and not image.has_samples:
        arguments |= {"colormap": colormap, "photometric": "palette"}
    kept = ("pixel_size", "description", *names, *_kept_dpi(image, arguments))
    return Description(text, {"metadata": None, **arguments}, tuple(tags), kept)


def _describe_plain(image: Image) -> Description:
    text, size = image.metadata.description, image.pixel_size
    theirs = text.startswith(_OTHERS_WORDS) or text.rstrip().endswith("OME>")
    arguments = _resolution(image)
    kept = list(_kept_dpi(image, arguments))
    if not theirs:
        kept.append("description")
    if size is not None and size.z is None and is_microscopic(size):
        kept.append("pixel_size")
    leading = image.axes[: image.axes.index("Y")]
    named = leading not in {"", "I"}
    metadata: dict[str, Any] | None = {"axes": image.axes} if named else None
    if image.metadata.extra.get("page_shape") and leading == "I":
        metadata = {}  # tifffile then states the shape
    written = text.encode() if text and not theirs else None
    return Description(written, {"metadata": metadata, **arguments}, kept=tuple(kept))


_DESCRIBERS = {"ome": _describe_ome, "imagej": _describe_imagej, "plain": _describe_plain}


def _planes(image: Image, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - tifffile is not typed
    """The pixels in the shape in which tifffile makes one page of each plane."""
    pixels = image.pixels
    plane = pixels.shape[len(page_shape(image.axes, pixels.shape)) :]
    if arguments["metadata"] is None:
        return pixels.reshape(-1, *plane) if image.properties.pages > 1 else pixels.reshape(plane)
    stated = image.metadata.extra.get("page_shape", ())
    if not arguments["metadata"] and image.properties.pages == math.prod(stated):
        return pixels.reshape(*stated, *plane)
    return pixels


def _colours(image: Image) -> dict[str, Any]:
    """What tifffile must be told, lest it guesses."""
    if not image.has_samples:
        return {"photometric": "minisblack"}
    samples = image.pixels.shape[-1]
    colours = {"photometric": "rgb" if samples > 2 else "minisblack", "planarconfig": "contig"}  # noqa: PLR2004 - alpha
    if not image.has_alpha:
        return colours
    unspecified = samples == 4 and image.metadata.extra.get("unspecified_sample")  # noqa: PLR2004 - RGB and one more
    alpha = "assocalpha" if image.metadata.premultiplied else "unspecified" if unspecified else "unassalpha"
    return {**colours, "extrasamples": [alpha]}


def _encoding(image: Image, compression: str, level: int, tile: int | None) -> dict[str, Any]:
    """Compression and tiles; no predictor for floats, since few readers know that one."""
    arguments: dict[str, Any] = {"tile": (tile, tile)} if tile else {}
    if compression == "none":
        return arguments
    arguments["compression"] = "adobe_deflate" if compression == "deflate" else compression  # tag 8, the standard's
    if compression in _LEVELLED:
        arguments["compressionargs"] = {"level": level}
    if compression in _DIFFERENCED and image.pixels.dtype.kind in "iu":
        arguments["predictor"] = "horizontal"
    return arguments


def _resolution(image: Image) -> dict[str, Any]:
    microscopic = is_microscopic(image.pixel_size)
    pixels = pixels_per_unit(image, "cm" if microscopic else "inch")
    if pixels is None:
        return {}
    horizontal, vertical = pixels
    unit = "CENTIMETER" if microscopic else "INCH"
    return {"resolution": (_rational(horizontal), _rational(vertical)), "resolutionunit": unit}


def _kept_dpi(image: Image, arguments: dict[str, Any]) -> tuple[str, ...]:
    """The name of the resolution for print, where these arguments write it."""
    return ("dpi",) if arguments.get("resolutionunit") == "INCH" and image.metadata.dpi else ()


def _rational(value: float) -> tuple[int, int]:
    """The fraction of two 32-bit integers nearest to a positive number."""
    if value < 1:
        denominator, numerator = _rational(1 / value)
        return numerator, denominator
    fraction = Fraction(value).limit_denominator(max(1, int(_LARGEST_RATIONAL / value)))
    return min(fraction.numerator, _LARGEST_RATIONAL), fraction.denominator


def _with_clean_texts(image: Image) -> Image:
    """The same image without the characters that neither XML nor a TIFF's text can hold."""
    metadata = image.metadata
    names = tuple(_UNWRITABLE.sub("", name) for name in metadata.channel_names)
    text = _UNWRITABLE.sub("", metadata.description)
    return replace(image, metadata=replace(metadata, channel_names=names, description=text))


def _channels(image: Image) -> int:
    return int(image.pixels.shape[image.axes.index("C")]) if "C" in image.axes else 1


def _packets(image: Image) -> list[tuple[Any, ...]]:
    """Tags whose bytes are written as they were read."""
    extra = image.metadata.extra
    packets = {_XMP: extra.get("xmp"), _IPTC: extra.get("tiff_iptc")}
    return [(tag, _BYTE, len(packet), packet, True) for tag, packet in packets.items() if packet]
