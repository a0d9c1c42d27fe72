"""The image in memory: pixels, axes, pixel size and metadata."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels, check_axes, has_alpha, has_samples, page_count


class PixelSize(NamedTuple):
    """Size of a pixel in µm along each spatial axis; `z` is None if there is no depth."""

    y: float
    x: float
    z: float | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    r"""Metadata of an image, except its axes and pixel size.

    Attributes
    ----------
    icc
        ICC colour profile, byte for byte.
    exif
        EXIF block without the prefix "Exif\0\0": it starts with a TIFF header.
    dpi
        Resolution for print, horizontal and vertical, in dots per inch. The pixel size of a microscope is in
        `Image.pixel_size` instead.
    description
        Free text (TIFF ImageDescription, PNG Description), unless it is the description of OME or ImageJ.
    channel_names
        One name per channel, or none.
    flavour
        How a TIFF stores metadata: "ome", "imagej" or "plain"; empty for other formats.
    premultiplied
        Whether the colours are already multiplied by alpha ("associated alpha" in TIFF).
    full_size
        Original height and width, if a reader has reduced the image while decoding (`Part.shrink`).
    extra
        Values that only some formats can store (frame interval, channel colours, lookup tables, …).
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    description: str = ""
    channel_names: tuple[str, ...] = ()
    flavour: str = ""
    premultiplied: bool = False
    full_size: tuple[int, int] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Properties:
    """Properties of an image that are known from the header of its file.

    Attributes
    ----------
    shape, dtype, axes
        Of the pixels, as in `Image`.
    pixel_size
        In µm; None if the file does not have it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str
    pixel_size: PixelSize | None = None

    @property
    def pages(self) -> int:
        """Number of pages: two-dimensional images with all their samples."""
        return page_count(self.axes, self.shape)

    @property
    def pixel_count(self) -> int:
        """Number of pixels over all planes; the samples of a pixel count once."""
        shape = self.shape[:-1] if has_samples(self.axes) else self.shape
        return math.prod(shape)

    @property
    def nbytes(self) -> int:
        """Size of the decoded pixels in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image in memory; filters take one and return another.

    Attributes
    ----------
    pixels
        Array in native byte order.
    axes
        One OME letter per dimension (see `imgpool.core.axes`), ending in YX or YXS.
    pixel_size
        In µm; None if unknown.
    metadata
        Everything else that the file contains.

    Raises
    ------
    ValueError
        If `axes` does not describe `pixels`, or there are no pixels.
    """

    pixels: Pixels
    axes: str
    pixel_size: PixelSize | None = None
    metadata: Metadata = Metadata()

    def __post_init__(self) -> None:
        check_axes(self.axes, self.pixels.shape)
        if not self.pixels.dtype.isnative:
            native = self.pixels.astype(self.pixels.dtype.newbyteorder("="))
            object.__setattr__(self, "pixels", native)

    @classmethod
    def from_array(cls, array: Pixels, axes: str = "", pixel_size: PixelSize | None = None) -> "Image":
        """Wrap an array; without `axes`, guess them as scikit-image does (see `guess_axes`)."""
        return cls(np.asarray(array), axes or guess_axes(np.shape(array)), pixel_size)

    @property
    def properties(self) -> Properties:
        """The properties of this image, as a header has them."""
        return Properties(self.pixels.shape, self.pixels.dtype, self.axes, self.pixel_size)

    @property
    def has_samples(self) -> bool:
        """Whether a pixel has several samples (the last axis is S)."""
        return has_samples(self.axes)

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample is alpha."""
        return has_alpha(self.axes, self.pixels.shape)

    def with_pixels(self, pixels: Pixels, axes: str | None = None) -> "Image":
        """Return the image with other pixels, and with other axes if they are given."""
        return Image(pixels, self.axes if axes is None else axes, self.pixel_size, self.metadata)


def guess_axes(shape: tuple[int, ...]) -> str:
    """Guess the axes of an array of this shape.

    A last dimension of 3 or 4 after two others is S (RGB, RGBA); leading dimensions are ZYX, TZYX or TCZYX.

    Raises
    ------
    ValueError
        If the shape has no Y and X, or more than three leading dimensions.
    """
    samples = len(shape) > 2 and shape[-1] in {3, 4}  # noqa: PLR2004 - Y and X come first
    leading = len(shape) - 2 - samples
    letters = {0: "", 1: "Z", 2: "TZ", 3: "TCZ"}
    if leading not in letters:
        raise ValueError(f"cannot guess the axes of an array of shape {shape}: pass axes=")
    return letters[leading] + "YX" + "S" * samples
