"""WebP: imgpool parses the chunks itself; libwebp decodes (through imagecodecs) and encodes (through Pillow)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._file_writer import write_file
from imgpool.formats._lost_metadata import check_straight_alpha, lost_metadata, matching_icc
from imgpool.formats._pillow import encode
from imgpool.formats.webp._chunks import PIXEL_KINDS, Header, iter_chunks, join_chunks
from imgpool.formats.webp._reader import WebpReader

__all__ = ["WEBP"]

MAX_SIDE_PX = 16_383
DEFAULT_QUALITY = 90


class Webp(Format):
    """WebP: lossless or lossy, 8-bit RGB or RGBA.

    An image that comes from a lossy WebP is written as lossy; every other image without loss, unless a quality is
    given. EXIF (with the orientation), colour profile and XMP are kept. Animations are refused.
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
            and max(properties.shape[:2]) <= MAX_SIDE_PX
        )

    def open(self, path: FilePath) -> WebpReader:
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
            Whether to keep every pixel value; none means yes, unless a quality is given or the source was a lossy
            WebP.
        quality
            Of a lossy file, from 1 to 100; none means 90.
        method
            Effort of compression: 0 fast, 6 smallest.
        """
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        check_straight_alpha(image, "WebP")
        if lossless is None:
            lossless = quality is None and not image.metadata.extra.get("webp_lossy", False)
        metadata = _metadata_chunks(image)
        lost = lost_metadata(image, *metadata)
        encoded = encode(
            image.pixels, "WEBP", lossless=lossless, quality=_libwebp_quality(quality, lossless=lossless),
            method=method, exact=True,
        )  # fmt: skip
        write_file(path, [_add_metadata(encoded, image, metadata)])
        return lost


def _libwebp_quality(quality: int | None, *, lossless: bool) -> int:
    """Return the quality for libwebp; for lossless files it means effort, which `method` already sets."""
    return 0 if lossless else quality or DEFAULT_QUALITY


def _metadata_chunks(image: Image) -> dict[str, bytes]:
    """Return the bodies of the metadata chunks that the image has, by the name of the metadata."""
    bodies = {"icc": matching_icc(image), "exif": image.metadata.exif, "xmp": image.metadata.extra.get("xmp")}
    return {name: body for name, body in bodies.items() if body}


def _add_metadata(encoded: bytes, image: Image, metadata: dict[str, bytes]) -> bytes:
    """Rebuild an encoded file from its pixels and these metadata chunks."""
    pixels = [chunk for chunk in iter_chunks(encoded) if chunk.kind in PIXEL_KINDS]
    height, width = image.pixels.shape[:2]
    return join_chunks(pixels, Header(width, height, image.has_alpha), metadata)


WEBP = Webp()
