"""GIF with one picture, read and written with Pillow."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError, WriteError
from imgpool.core.format import FilePath, Format
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.refusal import refuse
from imgpool.formats._errors import COPY_AGAIN
from imgpool.formats._expansion import MAX_GIF_RATIO
from imgpool.formats._gif_blocks import has_second_picture
from imgpool.formats._lost_metadata import not_stored
from imgpool.formats._pillow import PillowReader, comment_bytes, comment_text, is_grey_or_rgb

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageFile import ImageFile

__all__ = ["GIF"]

MAX_SIDE_PX = 65_535
MAX_COLORS = 256


class Gif(Format):
    """GIF: 8-bit grey, or RGB of at most 256 colours; one picture, not animated.

    The palette is read as the RGB colours it contains, or RGBA if one colour is transparent. The comment is kept;
    pixel size, EXIF and colour profiles cannot be stored. Animations are refused.
    """

    name = "gif"
    extensions = (".gif",)
    holds = "one page of 8-bit grey, or of RGB with at most 256 colours"
    libraries = ("PIL.GifImagePlugin",)

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`; the number of colours of an RGB image is not known from its properties."""
        return is_grey_or_rgb(properties) and max(properties.shape[:2]) <= MAX_SIDE_PX

    def open(self, path: FilePath) -> "GifReader":
        """See `Format.open`."""
        return GifReader(path)

    def write(
        self,
        image: Image,
        path: FilePath,
        *,
        colors: Annotated[int, Field(ge=2, le=MAX_COLORS)] | None = None,
        dither: bool = False,
    ) -> tuple[str, ...]:
        """Write a GIF.

        Parameters
        ----------
        colors
            Reduce RGB to at most this number of colours, from 2 to 256. If none, an image of more than 256 colours
            is refused.
        dither
            When reducing colours, imitate missing ones by mixing neighbouring pixels.
        """
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        comment = comment_bytes(image.metadata.description)
        options: dict[str, Any] = {"comment": comment} if comment else {}
        lost = not_stored(image, *(["description"] if comment else []))
        picture = _to_pillow(image.pixels, colors, dither=dither)
        with open(path, "wb") as file:
            picture.save(file, "GIF", optimize=False, **options)
        return lost


class GifReader(PillowReader):
    """Reader of GIF files."""

    kind = "GIF"
    modes = {"L": "L", "P": "RGB"}  # noqa: RUF012 - read-only by its declared type

    def _open_picture(self) -> "ImageFile":
        from PIL.GifImagePlugin import GifImageFile

        if has_second_picture(self._file):
            raise ReadError("this GIF is an animation", "save its frames as separate images")
        self._file.seek(0)
        return GifImageFile(self._file)

    def _check_picture(self, picture: "ImageFile") -> None:
        left, top, right, bottom = picture.tile[0].extents or (0, 0, 0, 0)
        if (right - left) * (bottom - top) > os.fstat(self._file.fileno()).st_size * MAX_GIF_RATIO:
            raise ReadError("the GIF is damaged: it has far too little data for a picture of its size", COPY_AGAIN)

    def _decoded_mode(self, picture: "ImageFile") -> str:
        alpha = "A" if "transparency" in picture.info else ""
        return super()._decoded_mode(picture) + alpha

    def _parse_metadata(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        return None, Metadata(description=comment_text(picture.info.get("comment", b"")))


def _to_pillow(pixels: Pixels, colors: int | None, *, dither: bool) -> "PillowImage":
    """Convert pixels to a Pillow image of a mode that GIF stores: L or P."""
    from PIL import Image as PillowImage

    if pixels.ndim == 2:  # noqa: PLR2004 - Y and X: grey
        return PillowImage.fromarray(pixels)
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    unique, indices = np.unique(packed, return_inverse=True)
    if len(unique) <= (colors or MAX_COLORS):
        return _indexed(unique, indices.reshape(packed.shape))
    if colors is None:
        raise WriteError(
            f"it has {len(unique):,} colours, and GIF can store only {MAX_COLORS}",
            f"add {Hint('to', 'png')}, or {Hint('to', 'gif:colors=256')} to reduce them",
        )
    rgb = PillowImage.fromarray(pixels)
    palette = rgb.quantize(colors)
    method = PillowImage.Dither.FLOYDSTEINBERG if dither else PillowImage.Dither.NONE
    return rgb.quantize(palette=palette, dither=method)


def _indexed(colours: Pixels, indices: Pixels) -> "PillowImage":
    """Build a picture with a palette of exactly these colours (0xRRGGBB, ascending).

    The palette is stored in descending order and has at least two entries, because Pillow reads a palette of 0, 1,
    2, … as grey.
    """
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray((len(colours) - 1 - indices).astype(np.uint8))
    descending = colours[::-1].astype(np.uint32)
    table = np.stack([descending >> 16, descending >> 8 & 0xFF, descending & 0xFF], axis=-1).astype(np.uint8)
    picture.putpalette(table.tobytes() + b"\xff\xff\xff" * (len(colours) == 1))
    return picture


GIF = Gif()
