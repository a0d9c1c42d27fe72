"""Reading JPEG files, at full size or reduced."""

import math
import os
import re
from typing import TYPE_CHECKING, cast

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.image import Metadata, PixelSize
from imgpool.core.part import Part
from imgpool.formats._errors import COPY_AGAIN, truncated_error
from imgpool.formats._pillow import PillowReader, comment_text
from imgpool.formats._resolution import pixel_size_or_dpi
from imgpool.formats.jpeg._segments import RESOLUTION_UNITS, check_segments

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile
    from PIL.JpegImagePlugin import JpegImageFile

REDUCTIONS = (2, 4)
"""Factors by which a JPEG can be decoded smaller. At 8, colours subsampled along one side would become too coarse."""

MIN_OVERSAMPLING = 1.75
"""How many times larger than the result a reduced picture must be; below, the result would differ visibly."""

MIN_REDUCED_SIDE_PX = 64
"""Shortest side of a reduced picture, in pixels."""

MAX_STRAY_BYTES = 16
"""Stray bytes before the end marker that are accepted, because some cameras write them."""

END_MARKER = b"\xff\xd9"

_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}  # by Pillow's number
_LOST_PIXELS = re.compile("premature end|bad Huffman code|found marker|before marker 0xd[0-7]", re.IGNORECASE)
_ARITHMETIC_FRAME = re.compile(rb"\xff[\xc9-\xcb\xcd-\xcf]")  # markers SOF9 to SOF15
_STRAY_BYTES = re.compile("([0-9]+) extraneous bytes before marker 0xd9")


class JpegReader(PillowReader):
    """Reader of JPEG files."""

    kind = "JPEG"
    modes = {"L": "L", "RGB": "RGB", "CMYK": ""}  # noqa: RUF012 - read-only by its declared type

    def _open_picture(self) -> "ImageFile":
        from PIL.JpegImagePlugin import JpegImageFile

        check_segments(self._file)
        self._file.seek(0)
        picture = JpegImageFile(self._file)
        self._header_end = self._file.tell()
        return picture

    def _check_picture(self, picture: "ImageFile") -> None:
        if picture.mode == "CMYK":
            raise ReadError("its colours are CMYK, for print, which imgpool does not read",
                            "convert it to RGB first, with its colour profile")  # fmt: skip
        size = os.fstat(self._file.fileno()).st_size
        if 8 * size < min_bits(cast("JpegImageFile", picture)) and not self._is_arithmetic():
            raise ReadError("the JPEG is damaged: it has far too little data for a picture of its size", COPY_AGAIN)

    def _is_arithmetic(self) -> bool:
        """Whether the pixels may be arithmetically coded, which has no bound in bits per block."""
        self._file.seek(0)
        return _ARITHMETIC_FRAME.search(self._file.read(self._header_end)) is not None

    def _reduction(self, part: Part) -> int:
        """Return the largest factor that leaves enough detail and divides both sides.

        If it did not divide them, the last pixel of a row or column would also cover an area beyond the edge.
        """
        sides = self.properties.shape[:2]
        suitable = [
            factor
            for factor in REDUCTIONS
            if factor * MIN_OVERSAMPLING <= part.shrink
            and all(side % factor == 0 and side >= factor * MIN_REDUCED_SIDE_PX for side in sides)
        ]
        return max(suitable) if part.is_whole and suitable else 1

    def _decode(self, picture: "ImageFile", reduction: int) -> Pixels:
        """Decode with simplejpeg, in less than half of Pillow's time.

        If the end marker is missing, Pillow decodes: only Pillow reports how much of the picture is there. After the
        header, the bytes FF D9 can only be the end marker.
        """
        self._file.seek(0)
        data = self._file.read()
        if data.rfind(END_MARKER, self._header_end) < 0:
            return super()._decode(picture, reduction)
        colours = "GRAY" if picture.mode == "L" else "RGB"
        return _decode_complete(data, colours, picture.height // reduction, picture.width // reduction)

    def _truncated(self, picture: "ImageFile") -> ReadError:
        """Return an error with the fraction of rows that are there; a progressive file has all rows from the start."""
        decoded_area = picture.im.getbbox()  # left, top, right, bottom; None if nothing was decoded
        return truncated_error(decoded_area[3] / picture.height) if decoded_area else super()._truncated(picture)

    def _parse_metadata(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        from PIL.JpegImagePlugin import get_sampling

        info = picture.info
        unit = RESOLUTION_UNITS.get(info.get("jfif_unit", 0))
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


def min_bits(picture: "JpegImageFile") -> int:
    """Return the fewest bits of a Huffman-coded picture: one for each block of 8×8 pixels of each component."""
    sampling = [(vertical, horizontal) for _, horizontal, vertical, _ in picture.layer]
    highest = [max(1, *factors) for factors in zip(*sampling, strict=True)]
    sides = (picture.height, picture.width)
    return sum(
        math.prod(-(-side * factor // (8 * most)) for side, factor, most in zip(sides, factors, highest, strict=True))
        for factors in sampling
    )


def _decode_complete(data: bytes, colours: str, height: int, width: int) -> Pixels:
    """Decode a file that has an end marker.

    Parameters
    ----------
    data
        The file.
    colours
        "GRAY" or "RGB".
    height, width
        Of the result: those of the picture, or a half or a quarter of them.

    Raises
    ------
    ReadError
        If libjpeg warns that it invented or misplaced pixels.
    """
    import simplejpeg

    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colours, min_height=height, min_width=width, strict=True)
    except ValueError as error:
        if _is_harmful(str(error), data):
            raise ReadError("the JPEG is damaged: a part of the picture is missing or garbled", COPY_AGAIN) from None
        return _decode_leniently(data)
    return pixels[..., 0] if colours == "GRAY" else pixels


def _is_harmful(warning: str, data: bytes) -> bool:
    """Whether libjpeg warns of lost pixels; padding and a few stray bytes before the end marker are harmless."""
    if _LOST_PIXELS.search(warning):
        return True
    count = int(match[1]) if (match := _STRAY_BYTES.search(warning)) else 0
    stray = data[: data.rfind(END_MARKER)][-count:]
    return count > MAX_STRAY_BYTES and len(set(stray)) > 1


def _decode_leniently(data: bytes) -> Pixels:
    import imagecodecs

    pixels: Pixels = imagecodecs.jpeg8_decode(data)
    return pixels
