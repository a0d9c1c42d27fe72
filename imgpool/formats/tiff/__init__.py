"""TIFF files of labs and cameras: plain, OME-TIFF and ImageJ; parsed and written with tifffile."""

from typing import Annotated, Literal

from pydantic import Field

from imgpool.core.format import FilePath, Format, Reader
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse

__all__ = ["TIFF"]

_DTYPES = {
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
}  # fmt: skip


class Tiff(Format):
    """TIFF, OME-TIFF and ImageJ TIFF: any bit depth, any number of pages, channels, slices and frames.

    A file is written in the flavour of its source: the XML of OME, and the description and private tag of ImageJ, are
    kept and updated. An image that ImageJ cannot store (such as 32-bit labels), and one from another format that has
    axes, a distance between slices or channel names, is written as OME-TIFF, so that nothing is lost.

    Reading: a palette becomes the RGB colours it contains, and numbers that count from white are inverted, except in
    OME and ImageJ files, where the stored numbers are the measured values. Grey of 1, 2 or 4 bits becomes 8 bits. Of a
    pyramid the full resolution is read. Unnamed pages become an axis I; axes of length 1 are left out. A pixel smaller
    than 20 µm is that of a microscope, a larger one a resolution for print. CMYK, Lab, several different images, and
    one image in several files are refused.
    """

    name = "tiff"
    extensions = (".tif", ".tiff", ".ome.tif", ".ome.tiff")
    holds = "integers of 8 to 64 bits and floats of 16 to 64, grey or colour, in any number of pages"
    libraries = ("imagecodecs", "tifffile", f"{__name__}._reader", f"{__name__}._write")

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return properties.dtype.name in _DTYPES

    def open(self, path: FilePath) -> Reader:
        """See `Format.open`."""
        from imgpool.formats.tiff._reader import TiffReader

        return TiffReader(path)

    def write(
        self,
        image: Image,
        path: FilePath,
        *,
        compression: Literal["deflate", "lzw", "zstd", "packbits", "none"] = "deflate",
        level: Annotated[int, Field(ge=1, le=9)] = 1,
        tile: Annotated[int, Field(ge=16, le=4096, multiple_of=16)] | None = None,
        bigtiff: bool = False,
    ) -> tuple[str, ...]:
        """Write a TIFF.

        Parameters
        ----------
        compression
            Lossless in each case. ImageJ reads all of them except zstd, which is the fastest to read.
        level
            Effort of deflate and zstd: 1 fast, 9 smallest.
        tile
            Side of square tiles in pixels, from 16 to 4096; none writes strips.
        bigtiff
            Write BigTIFF even below 4 GB; larger files are always BigTIFF.
        """
        from imgpool.formats.tiff._write import write_image

        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        return write_image(image, path, compression=compression, level=level, tile=tile, bigtiff=bigtiff)


TIFF = Tiff()
