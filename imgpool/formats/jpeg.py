"""JPEG: headers through Pillow, decoding through simplejpeg, encoding through imagecodecs: all by libjpeg-turbo."""

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.part import Part
from imgpool.core.refusal import refuse
from imgpool.formats._lost import fitting_icc, lost
from imgpool.formats._pillow import PillowReader, comment_bytes, comment_text, encode, is_grey_or_rgb
from imgpool.formats._resolution import Unit, density, kept_by_density, pixel_size_or_dpi, whole_density
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._truncated import truncated

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["JPEG"]

SIDE_LIMIT = 65_500  # pixels; libjpeg goes no further
SEGMENT_LIMIT = 65_533  # bytes
MOST_PIECES = 255  # of a profile, one to a segment
REDUCTIONS = (2, 4)  # at 8, colour that is subsampled along one side only would come out coarse
MARGIN = 1.75  # how many times larger than the result a reduced picture is at least; with less, details differ
SMALLEST = 64  # pixels along a side of a reduced picture
MOST_STRAY = 16  # bytes before the end mark, as some cameras leave

END = b"\xff\xd9"

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

_SUBSAMPLINGS: dict[int, Subsampling] = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_UNITS: dict[int, Unit] = {1: "inch", 2: "cm"}  # as a JFIF header numbers them
_MADE_UP = re.compile("premature end|bad Huffman code|found marker|before marker 0xd[0-7]", re.IGNORECASE)
_STRAY = re.compile("([0-9]+) extraneous bytes before marker 0xd9")
_DENSITY = slice(13, 18)  # bytes of a file that begins with a JFIF header: unit, horizontal, vertical
_JFIF_END = 20  # where that header ends
_MARKERS = {
    "exif": b"\xff\xe1",
    "xmp": b"\xff\xe1",
    "icc": b"\xff\xe2",
    "iptc": b"\xff\xed",
    "description": b"\xff\xfe",
}
_XMP, _ICC = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"  # before what stands in these segments
_ICC_PIECE = SEGMENT_LIMIT - len(_ICC) - 2  # bytes, behind its number and that of all pieces


class Jpeg(Format):
    """JPEG: lossy, 8-bit grey or RGB.

    EXIF (with the orientation), colour profile, XMP, IPTC, comment and resolution are kept, and so is the way the
    colour was subsampled. Of a phone's file with several pictures (MPO, HDR gain map) the first is read; CMYK is
    refused, for only its profile could tell what its colours are. What a recipe makes much smaller in its first step
    is decoded at a half or a quarter of its size (see resize).
    """

    name = "jpeg"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")
    holds = "one page of 8-bit grey or RGB, at most 65,500 pixels wide and high"
    libraries = ("PIL.JpegImagePlugin", "imagecodecs._jpeg8", "simplejpeg")
    lossy = True

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return is_grey_or_rgb(properties) and max(properties.shape[:2]) <= SIDE_LIMIT

    def open(self, path: FilePath) -> "JpegReader":
        """See `Format.open`."""
        return JpegReader(path)

    def write(
        self,
        image: Image,
        path: FilePath,
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
        beside, resolution = _beside(image), _jfif_density(image)
        losses = lost(image, *beside, *(kept_by_density(image) if resolution else ()))
        if subsampling == "keep":
            subsampling = image.metadata.extra.get("jpeg_subsampling", "4:4:4")
        encoded = (
            encode(image.pixels, "JPEG", quality=quality, subsampling=subsampling, progressive=True)
            if progressive
            else _encode(image.pixels, quality, subsampling)
        )
        header = bytearray(encoded[:_JFIF_END])
        header[_DENSITY] = resolution or header[_DENSITY]
        with open(path, "wb") as file:
            file.writelines((header, *_segments(beside), memoryview(encoded)[_JFIF_END:]))
        return losses


class JpegReader(PillowReader):
    """Reader of JPEG files."""

    kind = "JPEG"
    modes = {"L": "L", "RGB": "RGB", "CMYK": ""}  # noqa: RUF012 - read-only by its declared type

    def _open_picture(self) -> "ImageFile":
        from PIL.JpegImagePlugin import JpegImageFile

        picture = JpegImageFile(self._file)
        self._header_end = self._file.tell()
        return picture

    def _check_picture(self, picture: "ImageFile") -> None:
        if picture.mode == "CMYK":
            raise ReadError("this JPEG is CMYK, made for print", "convert it to RGB first, with its colour profile")

    def _reduction(self, part: Part) -> int:
        """A half or a quarter of a picture costs little more than to find its bits.

        Only where it comes out even: else what belongs to the last pixels would lie beyond the edge.
        """
        sides = self.properties.shape[:2]
        fitting = [
            each
            for each in REDUCTIONS
            if each * MARGIN <= part.shrink and all(side % each == 0 and side >= each * SMALLEST for side in sides)
        ]
        return max(fitting) if part.is_whole and fitting else 1

    def _decode(self, picture: "ImageFile", reduction: int) -> Pixels:
        """Decode in less than half of Pillow's time, unless the end is missing: only Pillow can tell how much is there.

        Behind the start of the picture, where the header's parser stopped, FF D9 cannot be anything but the end mark.
        """
        self._file.seek(0)
        data = self._file.read()
        if data.rfind(END, self._header_end) < 0:
            return super()._decode(picture, reduction)
        colours = "GRAY" if picture.mode == "L" else "RGB"
        return _decode_complete(data, colours, picture.height // reduction, picture.width // reduction)

    def _truncated(self, picture: "ImageFile") -> ReadError:
        """Rows come one after another from the top, unless the file is progressive."""
        box = picture.im.getbbox()
        return truncated(box[3] / picture.height) if box else super()._truncated(picture)

    def _parse_metadata(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
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


def _decode_complete(data: bytes, colours: str, height: int, width: int) -> Pixels:
    """Decode a file with an end mark; an error where libjpeg makes up pixels, or loses its place, and merely warns.

    Parameters
    ----------
    height, width
        Of the result: the picture's own, or a half or a quarter of them.
    """
    import simplejpeg

    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colours, min_height=height, min_width=width, strict=True)
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


def _encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """The bytes that Pillow would give, without its copies."""
    import imagecodecs

    colours = np.ascontiguousarray(pixels)
    return bytes(imagecodecs.jpeg8_encode(colours, quality, subsampling=subsampling.replace(":", "")))


def _beside(image: Image) -> dict[str, tuple[bytes, ...]]:
    """What can be written beside the pixels: the bodies of its segments, by the names that `lost` knows."""
    extra = image.metadata.extra
    exif, xmp, comment = image.metadata.exif, extra.get("xmp"), comment_bytes(image.metadata.description)
    bodies = {
        "exif": (PREFIX + exif,) if exif else (),
        "xmp": (_XMP + xmp,) if xmp else (),
        "icc": _icc_bodies(fitting_icc(image) or b""),
        "iptc": extra.get("jpeg_iptc", ()),
        "description": (comment,) if comment else (),
    }
    return {name: each for name, each in bodies.items() if each and max(map(len, each)) <= SEGMENT_LIMIT}


def _icc_bodies(profile: bytes) -> tuple[bytes, ...]:
    """A profile in numbered pieces; none where they would be too many to number."""
    pieces = [profile[start : start + _ICC_PIECE] for start in range(0, len(profile), _ICC_PIECE)]
    if len(pieces) > MOST_PIECES:
        return ()
    return tuple(_ICC + bytes((number, len(pieces))) + piece for number, piece in enumerate(pieces, 1))


def _segments(beside: dict[str, tuple[bytes, ...]]) -> Iterator[bytes]:
    """Markers, lengths and bodies, as they stand behind the JFIF header."""
    for name, bodies in beside.items():
        for body in bodies:
            yield _MARKERS[name] + struct.pack(">H", len(body) + 2) + body


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
