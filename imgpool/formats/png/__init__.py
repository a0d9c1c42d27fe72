"""PNG: imgpool parses the chunks itself; imagecodecs (libpng, libdeflate) decodes and encodes the pixels."""

from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._file_writer import write_file
from imgpool.formats._lost_metadata import check_straight_alpha, lost_metadata
from imgpool.formats.png._chunks import pack_chunks
from imgpool.formats.png._encode import FAST_LEVEL, encode, encode_fast
from imgpool.formats.png._metadata import metadata_chunks
from imgpool.formats.png._reader import MAX_SIDE_PX, PngReader

__all__ = ["PNG"]


class Png(Format):
    """PNG: lossless, grey or colour, 8 or 16 bits, with or without alpha.

    A palette is read as the RGB or RGBA colours it contains, grey of 1, 2 or 4 bits as 8 bits (full range), and a
    transparent colour (tRNS) as alpha. Colour profile, EXIF, XMP, texts and resolution are kept. Pixels are never
    corrected by gAMA, cHRM, sRGB or cICP chunks; these chunks are kept unchanged.
    """

    name = "png"
    extensions = (".png",)
    holds = "one page of 8 or 16 bits per sample: grey, grey + alpha, RGB or RGBA"
    libraries = ("imagecodecs",)

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return (
            properties.dtype in (np.uint8, np.uint16)
            and properties.axes in {"YX", "YXS"}
            and max(properties.shape[:2]) <= MAX_SIDE_PX
        )

    def open(self, path: FilePath) -> PngReader:
        """See `Format.open`."""
        return PngReader(path, buffering=0)

    def write(self, image: Image, path: FilePath, *, level: Annotated[int, Field(ge=0, le=9)] = 1) -> tuple[str, ...]:
        """Write a PNG.

        Parameters
        ----------
        level
            Effort of compression: 0 none, 1 fast, 9 smallest.
        """
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        check_straight_alpha(image, "PNG")
        chunks, stored = metadata_chunks(image)
        header, blocks = encode_fast(image.pixels) if level == FAST_LEVEL else encode(image.pixels, level)
        write_file(path, [header, pack_chunks(chunks), *blocks])
        return lost_metadata(image, *stored)


PNG = Png()
