"""The image: pixels, what their axes mean, how large a pixel is, and what else the file said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels, check_axes, has_alpha, has_samples, page_count


class PixelSize(NamedTuple):
    """The size of a pixel in µm along each spatial axis; `z` is None where there is no depth."""

    y: float
    x: float
    z: float | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    r"""What a file says beside its pixels.

    Attributes
    ----------
    icc
        ICC colour profile, byte for byte.
    exif
        EXIF block without its "Exif\0\0" prefix (it begins with a TIFF header).
    dpi
        Resolution for print, horizontal and vertical, in dots per inch. A microscope's pixel size is not
        kept here but in `Image.pixel_size`.
    description
        Free text (TIFF ImageDescription, PNG Description), where it is not OME-XML or ImageJ's own.
    channel_names
        One name per channel, or empty.
    flavour
        How a TIFF says all this: "ome", "imagej" or "plain"; empty for other formats.
    premultiplied
        Whether the colour samples are already multiplied by alpha (TIFF "associated alpha").
    full_size
        Height and width of the whole picture, where a reader has delivered it smaller (see `imgpool.core.part`).
    extra
        What only the image's own format understands (frame interval, channel colours, LUTs, …).
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
    """What a file's header tells, without decoding its pixels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str
    pixel_size: PixelSize | None = None

    @property
    def pages(self) -> int:
        """The number of planes."""
        return page_count(self.axes, self.shape)

    @property
    def pixel_count(self) -> int:
        """The number of pixels, over all planes; a pixel's samples count once."""
        shape = self.shape[:-1] if has_samples(self.axes) else self.shape
        return math.prod(shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the decoded pixels take."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One image in memory; filters take one and return another.

    Attributes
    ----------
    pixels
        The array, of the file's own dtype in native byte order.
    axes
        One OME letter per dimension (see `imgpool.core.axes`), ending in YX or YXS.
    pixel_size
        µm per pixel, or None where the file does not tell.
    metadata
        Everything else the file said.

    Raises
    ------
    ValueError
        If `axes` does not describe `pixels`, or the image holds no pixels.
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
        """Wrap an array; without `axes`, guess as scikit-image does.

        A trailing dimension of 3 or 4 after two others is taken for samples (RGB, RGBA); any leading
        dimensions for Z, then T, then C.
        """
        return cls(np.asarray(array), axes or guess_axes(np.shape(array)), pixel_size)

    @property
    def properties(self) -> Properties:
        """What a header would say of this image."""
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
        """The same image with other pixels, and other axes where they changed."""
        return Image(pixels, self.axes if axes is None else axes, self.pixel_size, self.metadata)


def guess_axes(shape: tuple[int, ...]) -> str:
    """The axes of a bare array of this shape: samples last where they are 3 or 4, then Z, T, C before YX."""
    samples = len(shape) > 2 and shape[-1] in {3, 4}  # noqa: PLR2004 - Y and X come first
    leading = len(shape) - 2 - samples
    letters = {0: "", 1: "Z", 2: "TZ", 3: "TCZ"}
    if leading not in letters:
        raise ValueError(f"cannot tell the axes of an array of shape {shape}: pass axes=")
    return letters[leading] + "YX" + "S" * samples
