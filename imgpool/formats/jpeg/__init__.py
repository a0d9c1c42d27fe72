"""JPEG: Pillow parses the header, simplejpeg decodes, imagecodecs encodes; all of them use libjpeg-turbo."""

from typing import Annotated, Literal

from pydantic import Field

from imgpool.core.format import FilePath, Format, Reader
from imgpool.core.image import Image, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._pillow import is_grey_or_rgb

__all__ = ["JPEG"]

MAX_SIDE_PX = 65_500
"""Longest side that libjpeg encodes, in pixels."""


class Jpeg(Format):
    """JPEG: lossy, 8-bit grey or RGB.

    EXIF (with the orientation), colour profile, XMP, IPTC, comment, resolution and chroma subsampling are kept. If a
    file of a phone holds several pictures (MPO, HDR gain map), the first is read. CMYK is refused: its colours depend
    on its profile. If the first step of a recipe reduces an image much, it is decoded at a half or a quarter of its
    size (see resize).
    """

    name = "jpeg"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")
    holds = "one page of 8-bit grey or RGB, at most 65,500 pixels wide and high"
    libraries = (
        "PIL.JpegImagePlugin", "imagecodecs._jpeg8", "simplejpeg", f"{__name__}._reader", f"{__name__}._write",
    )  # fmt: skip
    lossy = True

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        return is_grey_or_rgb(properties) and max(properties.shape[:2]) <= MAX_SIDE_PX

    def open(self, path: FilePath) -> Reader:
        """See `Format.open`."""
        from imgpool.formats.jpeg._reader import JpegReader

        return JpegReader(path)

    def write(
        self,
        image: Image,
        path: FilePath,
        *,
        quality: Annotated[int, Field(ge=1, le=100)] = 95,
        subsampling: Literal["4:4:4", "4:2:2", "4:2:0", "keep"] = "keep",
        progressive: bool = False,
    ) -> tuple[str, ...]:
        """Write a JPEG.

        Parameters
        ----------
        quality
            From 1 to 100. At 95, encoding a photo a second time has no visible effect.
        subsampling
            Resolution of the colours: 4:4:4 full, 4:2:2 half, 4:2:0 a quarter; keep uses that of the source, or full
            if the source is not a JPEG.
        progressive
            Store the image from coarse to fine, for the web: a little smaller, slower to read.
        """
        from imgpool.formats.jpeg._write import write_image

        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        return write_image(image, path, quality=quality, subsampling=subsampling, progressive=progressive)


JPEG = Jpeg()
