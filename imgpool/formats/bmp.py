"""BMP, read and written with Pillow."""

import os
from typing import TYPE_CHECKING

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._errors import COPY_AGAIN, truncated_error
from imgpool.formats._file_writer import write_file
from imgpool.formats._lost_metadata import not_stored
from imgpool.formats._pillow import PillowReader, encode, is_grey_or_rgb
from imgpool.formats._resolution import integer_pixels_per_unit, pixel_size_or_dpi, stored_by_resolution

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["BMP"]

MAX_PIXEL_BYTES = 2**32 - 2048
"""Most bytes of pixels: the size of the file must fit into 32 bits."""

MAX_HEADER_BYTES = 1024
"""Longest header; the standard ones have up to 124 bytes."""

_HEADER_SIZE = slice(14, 18)  # bytes of the file
_MAX_RESOLUTION = 2**31 - 1
_RESOLUTION = slice(38, 46)  # bytes of the file: horizontal and vertical, per metre
_UNCOMPRESSED = 0  # value of the compression field
_PILLOW_INCHES_PER_METRE = 39.3701  # by which Pillow divides the stored numbers


class Bmp(Format):
    """BMP: not compressed, 8-bit grey or RGB.

    A palette is read as the RGB colours it contains, a palette of greys as grey. Alpha is read if the header declares
    it, but not written. The resolution is kept; EXIF, colour profiles and texts cannot be stored.
    """

    name = "bmp"
    extensions = (".bmp", ".dib")
    holds = "one page of 8-bit grey or RGB"
    libraries = ("PIL.BmpImagePlugin",)

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return is_grey_or_rgb(properties) and properties.nbytes <= MAX_PIXEL_BYTES

    def open(self, path: FilePath) -> "BmpReader":
        """See `Format.open`."""
        return BmpReader(path)

    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write a BMP."""
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        resolution = integer_pixels_per_unit(image, "m", _MAX_RESOLUTION)
        lost = not_stored(image, *(stored_by_resolution(image) if resolution else ()))
        encoded = bytearray(encode(image.pixels, "BMP"))
        encoded[_RESOLUTION] = b"".join(value.to_bytes(4, "little") for value in resolution or (0, 0))
        write_file(path, [encoded])
        return lost


class BmpReader(PillowReader):
    """Reader of BMP files."""

    kind = "BMP"
    modes = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA"}  # noqa: RUF012 - read-only by type

    def _open_picture(self) -> "ImageFile":
        from PIL.BmpImagePlugin import BmpImageFile

        head = self._file.read(_HEADER_SIZE.stop)
        if int.from_bytes(head[_HEADER_SIZE], "little") > MAX_HEADER_BYTES:  # Pillow would read as many bytes
            raise ReadError("the BMP is damaged: the length of its header is not valid", COPY_AGAIN)
        self._file.seek(0)
        return BmpImageFile(self._file)

    def _check_picture(self, picture: "ImageFile") -> None:
        """Check that all rows of an uncompressed picture are in the file, before memory is allocated for them."""
        if picture.info["compression"] == _UNCOMPRESSED:
            tile = picture.tile[0]
            assert isinstance(tile.args, tuple)  # mode, bytes per row, direction
            size = os.fstat(self._file.fileno()).st_size
            available, needed = max(size - tile.offset, 0), tile.args[1] * picture.height
            if available < needed:
                raise truncated_error(available / needed)

    def _parse_metadata(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        if "dpi" not in picture.info:
            return None, Metadata()
        horizontal, vertical = (round(dpi * _PILLOW_INCHES_PER_METRE) for dpi in picture.info["dpi"])
        pixel_size, dpi = pixel_size_or_dpi(horizontal, vertical, "m")
        return pixel_size, Metadata(dpi=dpi)


BMP = Bmp()
