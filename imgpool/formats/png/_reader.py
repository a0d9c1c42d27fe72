"""Reading PNG files."""

import os
from functools import cached_property

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Properties
from imgpool.core.part import Part
from imgpool.formats._errors import COPY_AGAIN, undecodable
from imgpool.formats._expansion import MAX_DEFLATE_RATIO
from imgpool.formats._file_reader import FileReader
from imgpool.formats._log_silencer import LogSilencer
from imgpool.formats._signatures import HEAD_BYTES
from imgpool.formats.png import MAX_SIDE_PX
from imgpool.formats.png._chunks import END, Header, PixelChunks, read_header, read_start, split_pixels
from imgpool.formats.png._metadata import parse_metadata, parse_resolution


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
        dtype = np.dtype(np.uint16 if header.bit_depth == 16 else np.uint8)  # noqa: PLR2004 - bits
        pixel_size, _ = parse_resolution(header.chunks)
        return Properties(shape, dtype, "YX" if header.samples == 1 else "YXS", pixel_size)

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        properties, (header, start) = self.properties, self._header
        data = start
        if not start.endswith(END):
            self._file.seek(len(start))
            data += self._file.read()
        pixel_chunks = split_pixels(data, header)
        pixels = _decode(header, pixel_chunks)
        if (pixels.shape, pixels.dtype) != (properties.shape, properties.dtype):
            raise ReadError("the PNG is damaged: its picture does not fit its header", COPY_AGAIN)
        pixel_size, metadata = parse_metadata(header.chunks + pixel_chunks.other_chunks)
        return (part or Part()).crop(Image(pixels, properties.axes, pixel_size, metadata))

    @cached_property
    def _header(self) -> tuple[Header, bytes]:
        """The header, and all bytes that were read to find its end."""
        start = read_start(self._file)
        self._check_signature(start[:HEAD_BYTES])
        header, start = read_header(self._file, start)
        _check_data(header, os.fstat(self._file.fileno()).st_size - header.end)
        return header, start


def _check_data(header: Header, deflated_size: int) -> None:
    """Raise `ReadError` if so few bytes cannot hold a picture of the declared size."""
    if header.inflated_size > deflated_size * MAX_DEFLATE_RATIO:
        raise ReadError("the PNG is damaged: it has far too little data for a picture of its size", COPY_AGAIN)


def _decode(header: Header, pixel_chunks: PixelChunks) -> Pixels:
    import imagecodecs

    _check_data(header, pixel_chunks.deflated_size)
    if max(header.width, header.height) > MAX_SIDE_PX:
        raise ReadError(f"this PNG is more than {MAX_SIDE_PX:,} pixels wide or high", "crop it, or save it as TIFF")
    try:
        with LogSilencer("imagecodecs"):
            pixels: Pixels = imagecodecs.png_decode(pixel_chunks.png)
    except (RuntimeError, ValueError) as error:
        raise undecodable("PNG", error) from error
    return pixels
