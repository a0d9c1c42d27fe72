"""PNG: imgpool parses the chunks itself; imagecodecs (libpng, libdeflate) decodes and encodes the pixels."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.format import FilePath, Format, Reader
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse

__all__ = ["PNG"]

MAX_SIDE_PX = 1_000_000
"""Longest side that libpng decodes, in pixels."""


class Png(Format):
    """PNG: lossless, grey or colour, 8 or 16 bits, with or without alpha.

    A palette is read as the RGB or RGBA colours it contains, grey of 1, 2 or 4 bits as 8 bits (full range), and a
    transparent colour (tRNS) as alpha. Colour profile, EXIF, XMP, texts and resolution are kept. Pixels are never
    corrected by gAMA, cHRM, sRGB or cICP chunks; these chunks are kept unchanged.
    """

    name = "png"
    extensions = (".png",)
    holds = "one page of 8 or 16 bits per sample: grey, grey + alpha, RGB or RGBA"
    libraries = ("imagecodecs", f"{__name__}._reader", f"{__name__}._write")

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return (
            properties.dtype in (np.uint8, np.uint16)
            and properties.axes in {"YX", "YXS"}
            and max(properties.shape[:2]) <= MAX_SIDE_PX
        )

    def open(self, path: FilePath) -> Reader:
        """See `Format.open`."""
        from imgpool.formats.png._reader import PngReader

        return PngReader(path, buffering=0)

    def write(self, image: Image, path: FilePath, *, level: Annotated[int, Field(ge=0, le=9)] = 1) -> tuple[str, ...]:
        """Write a PNG.

        Parameters
        ----------
        level
            Effort of compression: 0 none, 1 fast, 9 smallest.
        """
        from imgpool.formats.png._write import write_image

        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        return write_image(image, path, level=level)


PNG = Png()
