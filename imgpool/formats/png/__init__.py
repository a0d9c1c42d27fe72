"""PNG: through libpng (imagecodecs) for 8 and 16 bits, with our own look at every chunk."""

from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties
from imgpool.core.part import Part
from imgpool.core.refusal import refuse
from imgpool.formats._file_reader import FileReader
from imgpool.formats._lost import lost, refuse_premultiplied
from imgpool.formats._quiet import quiet
from imgpool.formats._sniff import COPY_AGAIN, HEAD_SIZE
from imgpool.formats._write import write_pieces
from imgpool.formats.png import _chunks as chunks
from imgpool.formats.png._encode import encode, encode_fast
from imgpool.formats.png._metadata import metadata_chunks, parse_metadata, parse_resolution

__all__ = ["PNG"]

SIDE_LIMIT = 1_000_000  # pixels; libpng decodes nothing longer
INFLATION_LIMIT = 1032  # deflate makes no byte into more than this

_WIDE = 16  # bits per sample


class Png(Format):
    """PNG: lossless, grey or colour, 8 or 16 bits, with or without alpha.

    A palette is read as the RGB or RGBA it stands for, grey of 1, 2 or 4 bits as 8 bits (full range), and a
    transparent colour (tRNS) as alpha. The colour profile, EXIF, XMP, texts and resolution are kept. Pixels are
    never corrected for gAMA, cHRM, sRGB or cICP chunks; these are kept beside the pixels as they are.
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
            and max(properties.shape[:2]) <= SIDE_LIMIT
        )

    def open(self, path: FilePath) -> "PngReader":
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
        refuse_premultiplied(image, "PNG")
        beside, kept = metadata_chunks(image)
        header, picture = encode_fast(image.pixels) if level == 1 else encode(image.pixels, level)
        write_pieces(path, [header, chunks.join(beside), *picture])
        return lost(image, *kept)


class PngReader(FileReader):
    """Reader of PNG files."""

    kind = "PNG"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        header, _ = self._header
        shape: tuple[int, ...] = (header.height, header.width)
        if header.samples > 1:
            shape += (header.samples,)
        dtype = np.dtype(np.uint16 if header.depth == _WIDE else np.uint8)
        pixel_size, _ = parse_resolution(header.chunks)
        return Properties(shape, dtype, "YX" if header.samples == 1 else "YXS", pixel_size)

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        properties, (header, start) = self.properties, self._header
        data = start
        if not start.endswith(chunks.END):
            self._file.seek(len(start))
            data += self._file.read()
        picture = chunks.split_rest(data, header)
        pixels = _decode(header, picture)
        if (pixels.shape, pixels.dtype) != (properties.shape, properties.dtype):
            raise ReadError("the PNG is damaged: its picture is not what its header says", COPY_AGAIN)
        pixel_size, metadata = parse_metadata(header.chunks + picture.chunks)
        return (part or Part()).crop(Image(pixels, properties.axes, pixel_size, metadata))

    @cached_property
    def _header(self) -> tuple[chunks.Header, bytes]:
        """The parsed header, and the bytes that were read from the file to find its end."""
        start = chunks.read_start(self._file)
        self._check_kind(start[:HEAD_SIZE])
        return chunks.read_header(self._file, start)


def _decode(header: chunks.Header, picture: chunks.Picture) -> Pixels:
    import imagecodecs

    if header.raw_size > picture.packed_size * INFLATION_LIMIT:
        raise ReadError("the PNG is damaged: it holds far too little for a picture of its size", COPY_AGAIN)
    if max(header.width, header.height) > SIDE_LIMIT:
        raise ReadError(f"this PNG is more than {SIDE_LIMIT:,} pixels wide or high", "cut it, or save it as TIFF")
    try:
        with quiet("imagecodecs"):
            pixels: Pixels = imagecodecs.png_decode(picture.packed)
    except (RuntimeError, ValueError) as error:
        raise ReadError(f"the PNG is damaged: {error}", COPY_AGAIN) from None
    return pixels


PNG = Png()
