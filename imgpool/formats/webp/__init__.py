"""WebP: read through imagecodecs, encoded by Pillow (both libwebp), with our own look at its chunks."""

from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Metadata, Properties
from imgpool.core.part import Part
from imgpool.core.refusal import refuse
from imgpool.formats._file_reader import FileReader
from imgpool.formats._lost import fitting_icc, lost, refuse_premultiplied
from imgpool.formats._pillow import encode
from imgpool.formats._sniff import COPY_AGAIN
from imgpool.formats._write import write_pieces
from imgpool.formats.webp import _chunks as chunks

__all__ = ["WEBP"]

SIDE_LIMIT = 16_383  # pixels


class Webp(Format):
    """WebP: lossless or lossy, 8-bit RGB or RGBA.

    What was read from a lossy WebP is written as one; everything else without loss, unless a quality is asked
    for. EXIF (with the orientation), colour profile and XMP are kept. Animations are refused.
    """

    name = "webp"
    extensions = (".webp",)
    holds = "one page of 8-bit RGB or RGBA, at most 16,383 pixels wide and high"
    libraries = ("PIL.WebPImagePlugin", "imagecodecs")
    lossy = True

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return (
            properties.dtype == np.uint8
            and properties.axes == "YXS"
            and properties.shape[2] in {3, 4}
            and max(properties.shape[:2]) <= SIDE_LIMIT
        )

    def open(self, path: FilePath) -> "WebpReader":
        """See `Format.open`."""
        return WebpReader(path)

    def write(
        self,
        image: Image,
        path: FilePath,
        *,
        lossless: bool | None = None,
        quality: Annotated[int, Field(ge=1, le=100)] | None = None,
        method: Annotated[int, Field(ge=0, le=6)] = 2,
    ) -> tuple[str, ...]:
        """Write a WebP.

        Parameters
        ----------
        lossless
            Whether every pixel is kept; none means yes, unless a quality is given or the source was a lossy WebP.
        quality
            Of a lossy file, from 1 to 100; none means 90.
        method
            Effort of compression: 0 fast, 6 smallest.
        """
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        refuse_premultiplied(image, "WebP")
        if lossless is None:
            lossless = quality is None and not image.metadata.extra.get("webp_lossy", False)
        effort = 0 if lossless else quality or 90  # for lossless, quality would mean more time
        encoded = encode(image.pixels, "WEBP", lossless=lossless, quality=effort, method=method, exact=True)
        picture = [chunk for chunk in chunks.iter_chunks(encoded) if chunk.kind in chunks.PICTURE]
        beside = {
            "icc": fitting_icc(image) or b"",
            "exif": image.metadata.exif or b"",
            "xmp": image.metadata.extra.get("xmp", b""),
        }
        losses = lost(image, *(name for name, body in beside.items() if body))
        header = chunks.Header(image.pixels.shape[1], image.pixels.shape[0], image.has_alpha)
        write_pieces(path, [chunks.join(picture, header, **beside)])
        return losses


class WebpReader(FileReader):
    """Reader of WebP files."""

    kind = "WebP"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        header = self._header
        return Properties((header.height, header.width, 3 + header.alpha), np.dtype(np.uint8), "YXS")

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        import imagecodecs

        header = self._header
        self._file.seek(0)
        data = self._file.read()
        try:
            pixels = imagecodecs.webp_decode(data, hasalpha=header.alpha)
        except (RuntimeError, ValueError) as error:
            raise ReadError(f"the WebP is damaged: {error}", COPY_AGAIN) from None
        if pixels.shape != self.properties.shape:
            raise ReadError("the WebP is damaged: its picture is not as large as its header says", COPY_AGAIN)
        return (part or Part()).crop(Image(pixels, "YXS", metadata=_metadata(data)))

    @cached_property
    def _header(self) -> chunks.Header:
        self._check_kind()
        return chunks.read_header(self._file)


def _metadata(data: bytes) -> Metadata:
    bodies: dict[bytes, bytes] = {}
    for kind, body in chunks.iter_chunks(data):
        bodies.setdefault(kind, body)
    extra = {"xmp": bodies.get(b"XMP "), "webp_lossy": b"VP8 " in bodies}
    return Metadata(
        icc=bodies.get(b"ICCP") or None,
        exif=bodies.get(b"EXIF", b"").removeprefix(PREFIX) or None,
        extra={name: value for name, value in extra.items() if value},
    )


WEBP = Webp()
