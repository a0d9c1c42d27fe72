"""The meaning of the numbers stored in a TIFF: their axes, and how they become grey values or colours."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.formats.tiff._errors import damaged
from imgpool.formats.tiff._tifffile_types import Page, Series

MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6

_OTHER_COLOURS = {
    4: "a transparency mask", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "a raw colour mosaic",
    32844: "LogL", 32845: "LogLuv", 34892: "raw linear colour",
}  # fmt: skip
_JPEG_COMPRESSIONS = {6, 7, 33007, 34892}  # their decoder turns YCbCr into RGB
_JPEG_2000_RGB_COMPRESSIONS = {33005, 34712}
_UNSPECIFIED, _ASSOCIATED = 0, 1  # kinds of an extra sample
_SCALED_BITS = {1, 2, 4}  # per sample; such grey values are scaled to 8 bits, as those of PNG
_GREY_ALPHA, _RGB_SAMPLES = 2, {3, 4}  # numbers of samples


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How to convert the array that tifffile decodes into pixels.

    Attributes
    ----------
    stored_shape, stored_axes
        Of the array, with OME's letters.
    shape, axes, dtype
        Of the pixels.
    page_shape
        Lengths of the unnamed axes that were merged into one axis I; empty if fewer than two were.
    palette
        Colours of shape (colours, 3), into which the stored numbers are indices.
    white
        If the file counts from white: the stored number that means black, or -1 for signed numbers.
    scale
        Factor for the stored numbers.
    """

    stored_shape: tuple[int, ...]
    stored_axes: str
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    page_shape: tuple[int, ...] = ()
    palette: Pixels | None = None
    white: int | None = None
    scale: int = 1

    def apply(self, stored: Pixels) -> Pixels:
        """Convert stored numbers to pixels in this layout's axes and dtype."""
        pixels: np.ndarray[Any, Any] = stored.reshape(self.stored_shape)
        index_axes = self.axes if self.palette is None else self.axes.removesuffix("S")
        if self.stored_axes != index_axes:
            pixels = pixels.transpose([self.stored_axes.index(axis) for axis in index_axes])
        if self.white is not None:
            pixels = self.white - pixels if self.white >= 0 else ~pixels
        if self.palette is not None:
            pixels = self.palette[pixels]
        if self.scale != 1:
            pixels = pixels * np.uint8(self.scale)
        return np.ascontiguousarray(pixels, self.dtype)


def find_layout(series: Series, *, plain: bool) -> TiffLayout:
    """Return the layout of an image.

    Parameters
    ----------
    series
        Of tifffile.
    plain
        Whether the file is neither OME nor ImageJ. In those, the stored numbers are the measured values, even if the
        file has a palette or is displayed inverted.

    Raises
    ------
    ReadError
        If imgpool does not support the colours or the axes.
    """
    page = series.keyframe
    _check_compression(page)
    _check_colours(page)
    named, shape, page_shape = _name_axes(series.axes, series.shape)
    named, axes = _arrange_axes(page, named, shape)
    lengths = dict(zip(named, shape, strict=True))
    pixel_shape = tuple(lengths[axis] for axis in axes)
    if plain and page.photometric == PALETTE:
        palette = _palette(series)
        return TiffLayout(shape, named, (*pixel_shape, 3), axes + "S", palette.dtype, page_shape, palette)
    dtype, scale = _dtype(page)
    white = _white(page, dtype if scale == 1 else None) if plain and page.photometric == MINISWHITE else None
    return TiffLayout(shape, named, pixel_shape, axes, dtype, page_shape, white=white, scale=scale)


def is_premultiplied(page: Page) -> bool:
    """Whether the colours are already multiplied by alpha."""
    return _ASSOCIATED in _extra_samples(page)


def has_unspecified_sample(page: Page) -> bool:
    """Whether there is an extra sample whose meaning the file does not give."""
    return _UNSPECIFIED in _extra_samples(page)


def _check_compression(page: Page) -> None:
    import tifffile

    if isinstance(page.compression, tuple):
        raise damaged("it declares several compressions for one image")
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        raise ReadError(f"it has the compression {page.compression}, which imgpool does not read",
                        "save it again with LZW or deflate, or without compression") from None  # fmt: skip


def _check_colours(page: Page) -> None:
    compression, photometric = int(page.compression), int(page.photometric)
    is_decoded = photometric != YCBCR or compression in _JPEG_COMPRESSIONS | _JPEG_2000_RGB_COMPRESSIONS
    if photometric not in {MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR} or not is_decoded:
        colours = _OTHER_COLOURS.get(photometric, "YCbCr" if photometric == YCBCR else f"photometric {photometric}")
        raise ReadError(f"its colours are {colours}, which imgpool does not read", "convert it to RGB or grey first")


def _name_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Convert tifffile's axes to OME's letters; adjacent unnamed axes become one axis I.

    Returns
    -------
    axes, shape, page_shape
        `page_shape` contains the lengths of the axes that became I, if there are several.
    """
    if "X" not in axes or len(axes) != len(shape):
        raise ReadError(f"it is not an image: its axes are {axes}, of shape {shape}",
                        "save it as a stack of planes first")  # fmt: skip
    if "Y" not in axes:
        return _name_axes(axes.replace("X", "YX"), (*shape[: axes.index("X")], 1, *shape[axes.index("X") :]))
    unnamed = [index for index, axis in enumerate(axes) if axis not in "TCZYXS"]
    if not unnamed:
        return axes, shape, ()
    first, last = unnamed[0], unnamed[-1] + 1
    if len(unnamed) != last - first:
        raise ReadError(f"it has the axes {axes}, which imgpool does not support",
                        "save it as OME-TIFF with the axes T, C and Z")  # fmt: skip
    lengths = shape[first:last]
    merged = (*shape[:first], math.prod(lengths), *shape[last:])
    return f"{axes[:first]}I{axes[last:]}", merged, lengths if len(lengths) > 1 else ()


def _arrange_axes(page: Page, named: str, shape: tuple[int, ...]) -> tuple[str, str]:
    """Return the letters of the stored axes, and the order of the pixels' axes: planes last, then samples."""
    leading = "".join(axis for axis in named if axis not in "YXS")
    if "S" not in named:
        return named, leading + "YX"
    if _samples_are_colours(page, shape[named.index("S")]):
        return named, leading + "YXS"
    if "C" in named:
        raise ReadError("it has channels, each of several samples that are not colours",
                        "save the channels one by one first")  # fmt: skip
    return named.replace("S", "C"), leading + "CYX"


def _samples_are_colours(page: Page, samples: int) -> bool:
    """Whether the axis S contains colours (and alpha) rather than channels."""
    extra = _extra_samples(page)
    if page.photometric in {RGB, YCBCR}:
        if samples not in _RGB_SAMPLES:
            raise ReadError(f"it has {samples} samples per pixel: red, green, blue and {samples - 3} more",
                            "save it as RGB or RGBA, or its channels as a grey stack")  # fmt: skip
        return True
    return samples == _GREY_ALPHA and len(extra) == 1 and extra[0] != _UNSPECIFIED


def _extra_samples(page: Page) -> tuple[int, ...]:
    return tuple(int(sample) for sample in page.extrasamples or ())


def _dtype(page: Page) -> tuple[np.dtype[Any], int]:
    """Return the dtype, and the factor that scales numbers of fewer bits to its full range."""
    if page.dtype is None or page.dtype.kind == "c":
        raise ReadError(f"it has numbers of {page.bitspersample} bits in sample format {int(page.sampleformat)}, "
                        "which imgpool does not read", "convert them to an integer or float type first")  # fmt: skip
    if page.bitspersample in _SCALED_BITS and page.photometric in {MINISWHITE, MINISBLACK}:
        return np.dtype(np.uint8), 255 // (2**page.bitspersample - 1)
    return page.dtype.newbyteorder("="), 1


def _white(page: Page, dtype: np.dtype[Any] | None) -> int | None:
    """Return the number from which to subtract; -1 for signed numbers; None for floats, whose white is undefined."""
    if dtype is not None and dtype.kind == "i":
        return -1
    return None if dtype is not None and dtype.kind == "f" else 2 ** int(page.bitspersample) - 1


def _palette(series: Series) -> Pixels:
    """Return the palette as an array of shape (colours, 3), of 8 bits if these are enough."""
    maps = [page.colormap for page in series.pages if hasattr(page, "colormap")]
    first = maps[0]
    if first is None:
        raise ReadError("its colours are numbers in a palette, but it has no palette", "save it again as RGB or grey")
    if any(other is None or not np.array_equal(first, other) for other in maps):
        raise ReadError("its pages have different palettes", "save them as RGB first")
    colours = np.asarray(first).T.astype(np.uint16)
    high, low = colours >> 8, colours & 255
    if not low.any() or np.array_equal(low, high):
        return high.astype(np.uint8)
    return colours.astype(np.uint8) if not high.any() else colours
