"""JPEG: headers and writing through Pillow, decoding through simplejpeg (both libjpeg-turbo)."""

import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal, cast

from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._lost import fitting_icc, lost
from imgpool.formats._pillow import PillowFormat, comment_bytes, comment_text, encode, is_grey_or_rgb
from imgpool.formats._resolution import Unit, density, kept_by_density, pixel_size_or_dpi, whole_density
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["JPEG"]

SIDE_LIMIT = 65_500  # pixels; libjpeg goes no further
SEGMENT_LIMIT = 65_533  # bytes
MOST_STRAY = 16  # bytes before the end mark, as some cameras leave
XMP_PREFIX = 29  # bytes that stand before the XMP packet in its segment

END = b"\xff\xd9"
IPTC_MARKER = b"\xff\xed"

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

_SUBSAMPLINGS: dict[int, Subsampling] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_UNITS: dict[int, Unit] = {1: "inch", 2: "cm"}  # as a JFIF header numbers them
_MADE_UP = re.compile("premature end|bad Huffman code|found marker|before marker 0xd[0-7]", re.IGNORECASE)
_STRAY = re.compile("([0-9]+) extraneous bytes before marker 0xd9")
_DENSITY = slice(13, 18)  # bytes of a file that begins with a JFIF header: unit, horizontal, vertical


class Jpeg(PillowFormat):
    """JPEG: lossy, 8-bit grey or RGB.

    EXIF (with the orientation), colour profile, XMP, IPTC, comment and resolution are kept, and so is the way the
    colour was subsampled. Of a phone's file with several pictures (MPO, HDR gain map) the first is read; CMYK is
    refused, for only its profile could tell what its colours are.
    """

    name = "jpeg"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")
    holds = "one page of 8-bit grey or RGB, at most 65,500 pixels wide and high"
    libraries = ("PIL.JpegImagePlugin", "simplejpeg")
    lossy = True
    kind = "JPEG"
    modes = {"L": "L", "RGB": "RGB", "CMYK": ""}  # noqa: RUF012 - read-only by its declared type

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return is_grey_or_rgb(properties) and max(properties.shape[:2]) <= SIDE_LIMIT

    def write(
        self,
        image: Image,
        path: Path,
        *,
        quality: Annotated[int, Field(ge=1, le=100)] = 95,
        subsampling: Subsampling | Literal["keep"] = "keep",
        progressive: bool = False,
    ) -> tuple[str, ...]:
        """Write a JPEG.

        Parameters
        ----------
        quality
            From 1 to 100; at 95, a second pass over a photo is not seen.
        subsampling
            Resolution of the colour: 4:4:4 full, 4:2:2 half, 4:2:0 a quarter; keep is as the source had it, or
            full for one that was no JPEG.
        progressive
            Coarse to fine, for the web; a little smaller, slower to read.
        """
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        beside = _beside(image)
        iptc = ("iptc",) if image.metadata.extra.get("jpeg_iptc") else ()
        losses = lost(image, *beside, *iptc, *(kept_by_density(image) if _jfif_density(image) else ()))
        if subsampling == "keep":
            subsampling = image.metadata.extra.get("jpeg_subsampling", "4:4:4")
        options = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
        encoded = bytearray(encode(image.pixels, "JPEG", **options, **_pillow_options(beside, image)))
        encoded[_DENSITY] = _jfif_density(image) or encoded[_DENSITY]
        path.write_bytes(encoded)
        return losses

    def _open(self, file: BinaryIO) -> "ImageFile":
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(file)

    def _check(self, picture: "ImageFile", _size: int) -> None:
        if picture.mode == "CMYK":
            raise ReadError("this JPEG is CMYK, made for print", "convert it to RGB first, with its colour profile")

    def _decode(self, picture: "ImageFile", file: BinaryIO) -> Pixels:
        """Decode in less than half of Pillow's time, unless the end is missing: only Pillow can tell how much is there.

        Behind the start of the picture, where the header's parser stopped, FF D9 cannot be anything but the end mark.
        """
        start = file.tell()
        file.seek(0)
        data = file.read()
        if data.find(END, start) < 0:
            return super()._decode(picture, file)
        return _decode_whole(data, "GRAY" if picture.mode == "L" else "RGB")

    def _truncated(self, picture: "ImageFile") -> ReadError:
        """Rows come one after another from the top, unless the file is progressive."""
        box = picture.im.getbbox()
        return truncated(box[3] / picture.height) if box else super()._truncated(picture)

    def _describe(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        from PIL.JpegImagePlugin import get_sampling

        info = picture.info
        unit = _UNITS.get(info.get("jfif_unit", 0))
        horizontal, vertical = info.get("jfif_density", (0, 0))
        pixel_size, dpi = pixel_size_or_dpi(horizontal, vertical, unit) if unit else (None, None)
        exif: bytes = info.get("exif", b"")
        extra = {
            "jpeg_subsampling": _SUBSAMPLINGS.get(get_sampling(picture)),
            "jpeg_iptc": tuple(body for marker, body in cast("JpegImageFile", picture).applist if marker == "APP13"),
            "xmp": info.get("xmp"),
            "other_pictures": "mp" in info,
        }
        return pixel_size, Metadata(
            icc=info.get("icc_profile"),
            exif=exif.removeprefix(PREFIX) or None,
            dpi=dpi,
            description=comment_text(info.get("comment", b"")),
            extra={name: value for name, value in extra.items() if value},
        )


def _decode_whole(data: bytes, colours: str) -> Pixels:
    """Decode a file with an end mark; an error where libjpeg makes up pixels, or loses its place, and merely warns."""
    import simplejpeg

    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colours, strict=True)
    except ValueError as error:
        if _is_harm(str(error), data):
            raise ReadError("the JPEG is damaged: a part of the picture is missing or garbled", COPY_AGAIN) from None
        return _decode_leniently(data)
    return pixels[..., 0] if colours == "GRAY" else pixels


def _is_harm(warning: str, data: bytes) -> bool:
    """Whether what libjpeg warns of has cost pixels; padding and a few stray bytes before the end mark have not."""
    if _MADE_UP.search(warning):
        return True
    count = int(found[1]) if (found := _STRAY.search(warning)) else 0
    stray = data[: data.rfind(END)][-count:]
    return count > MOST_STRAY and len(set(stray)) > 1


def _decode_leniently(data: bytes) -> Pixels:
    import imagecodecs

    pixels: Pixels = imagecodecs.jpeg8_decode(data)
    return pixels


def _beside(image: Image) -> dict[str, bytes]:
    """What can be written beside the pixels, by the names that `lost` knows."""
    metadata = image.metadata
    comment = comment_bytes(metadata.description)
    said = {
        "icc": (fitting_icc(image), 255 * (SEGMENT_LIMIT - 14)),  # split into at most 255 segments
        "exif": (metadata.exif, SEGMENT_LIMIT - len(PREFIX)),
        "description": (comment, SEGMENT_LIMIT),
        "xmp": (metadata.extra.get("xmp"), SEGMENT_LIMIT - XMP_PREFIX),
    }
    return {name: value for name, (value, most) in said.items() if value and len(value) <= most}


def _pillow_options(beside: dict[str, bytes], image: Image) -> dict[str, Any]:
    """What is written beside the pixels, as Pillow's save takes it."""
    names = {"icc": "icc_profile", "exif": "exif", "description": "comment", "xmp": "xmp"}
    options = {names[name]: PREFIX * (name == "exif") + value for name, value in beside.items()}
    iptc = image.metadata.extra.get("jpeg_iptc", ())
    return options | {"extra": b"".join(IPTC_MARKER + struct.pack(">H", len(body) + 2) + body for body in iptc)}


def _jfif_density(image: Image) -> bytes | None:
    """The density's bytes in a JFIF header, in the unit that says it more exactly; None where neither can."""
    options = list[tuple[float, bytes]]()
    for code, unit in _UNITS.items():
        whole, exact = whole_density(image, unit, 0xFFFF), density(image, unit)
        if whole and exact:
            error = max(abs(said / meant - 1) for said, meant in zip(whole, exact, strict=True))
            options.append((error, struct.pack(">BHH", code, *whole)))
    return min(options)[1] if options else None


JPEG = Jpeg()
