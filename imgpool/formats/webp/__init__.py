"""WebP: imgpool parses the chunks itself; libwebp decodes (through imagecodecs) and encodes (through Pillow)."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.format import FilePath, Format, Reader
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse

__all__ = ["WEBP"]

MAX_SIDE_PX = 16_383
"""Longest side that a WebP can have, in pixels."""


class Webp(Format):
    """WebP: lossless or lossy, 8-bit RGB or RGBA.

    An image that comes from a lossy WebP is written as lossy; every other image without loss, unless a quality is
    given. EXIF (with the orientation), colour profile and XMP are kept. Animations are refused.
    """

    name = "webp"
    extensions = (".webp",)
    holds = "one page of 8-bit RGB or RGBA, at most 16,383 pixels wide and high"
    libraries = ("PIL.WebPImagePlugin", "imagecodecs", f"{__name__}._reader", f"{__name__}._write")
    lossy = True

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return (
            properties.dtype == np.uint8
            and properties.axes == "YXS"
            and properties.shape[2] in {3, 4}
            and max(properties.shape[:2]) <= MAX_SIDE_PX
        )

    def open(self, path: FilePath) -> Reader:
        """See `Format.open`."""
        from imgpool.formats.webp._reader import WebpReader

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
        from imgpool.formats.webp._write import write_image

        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        return write_image(image, path, lossless=lossless, quality=quality, method=method)


WEBP = Webp()
