"""What the stored numbers of a TIFF mean: which axes they run along, and how they become grey or colour."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError

MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6

_OTHER_COLOURS = {
    4: "a transparency mask", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "a raw colour mosaic",
    32844: "LogL", 32845: "LogLuv", 34892: "raw linear colour",
}  # fmt: skip
_JPEG = {6, 7, 33007, 34892}  # compressions whose decoder turns YCbCr into RGB
_JPEG_2000_RGB = {33005, 34712}
_UNSPECIFIED, _ASSOCIATED = 0, 1
_SCALED_BITS = {1, 2, 4}  # widened to 8 bits, black to white, as PNG's are


@dataclass(frozen=True, slots=True)
class TiffLayout:
    """How to turn the array that tifffile decodes into pixels.

    Attributes
    ----------
    stored_shape, stored_axes
        Of the array, with a letter of imgpool's for each axis.
    shape, axes, dtype
        Of the pixels.
    page_shape
        The lengths of several axes without a name that became one axis I; empty otherwise.
    colours
        A palette, of shape (colours, 3), to look the stored numbers up in.
    white
        The stored number that means black, where the file counts from white.
    scale
        What the stored number is multiplied with.
    """

    stored_shape: tuple[int, ...]
    stored_axes: str
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]
    page_shape: tuple[int, ...] = ()
    colours: Pixels | None = None
    white: int | None = None
    scale: int = 1

    def apply(self, stored: Pixels) -> Pixels:
        """The pixels, in this layout's axes and dtype."""
        pixels: np.ndarray[Any, Any] = stored.reshape(self.stored_shape)
        plain = self.axes if self.colours is None else self.axes.removesuffix("S")
        if self.stored_axes != plain:
            pixels = pixels.transpose([self.stored_axes.index(axis) for axis in plain])
        if self.white is not None:
            pixels = self.white - pixels if self.white >= 0 else ~pixels
        if self.colours is not None:
            pixels = self.colours[pixels]
        if self.scale != 1:
            pixels = pixels * np.uint8(self.scale)
        return np.ascontiguousarray(pixels, self.dtype)


def find_layout(series: Any, *, plain: bool) -> TiffLayout:  # noqa: ANN401 - tifffile is not typed
    """The layout of a tifffile series.

    Parameters
    ----------
    plain
        Whether this is neither OME's nor ImageJ's: those mean measured values by the stored numbers, even
        where the file has a palette to show them in, or shows them inverted.

    Raises
    ------
    ReadError
        If the colours or the axes are none that imgpool has.
    """
    page = series.keyframe
    _check_compression(page)
    _check_colours(page)
    named, shape, page_shape = _name_axes(series.axes, series.shape)
    named, axes = _order(page, named, shape)
    lengths = dict(zip(named, shape, strict=True))
    pixel_shape = tuple(lengths[axis] for axis in axes)
    if plain and page.photometric == PALETTE:
        colours = _palette(series)
        return TiffLayout(shape, named, (*pixel_shape, 3), axes + "S", colours.dtype, page_shape, colours)
    dtype, scale = _dtype(page)
    white = _white(page, dtype if scale == 1 else None) if plain and page.photometric == MINISWHITE else None
    return TiffLayout(shape, named, pixel_shape, axes, dtype, page_shape, white=white, scale=scale)


def is_premultiplied(page: Any) -> bool:  # noqa: ANN401
    """Whether the colours are already multiplied by alpha."""
    return _ASSOCIATED in _extra_samples(page)


def has_unspecified_sample(page: Any) -> bool:  # noqa: ANN401
    """Whether the file does not say what the sample beyond the colours is."""
    return _UNSPECIFIED in _extra_samples(page)


def _check_compression(page: Any) -> None:  # noqa: ANN401
    import tifffile

    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        raise ReadError(f"its compression ({page.compression}) is one that imgpool does not read",
                        "save it again with LZW or deflate, or without compression") from None  # fmt: skip


def _check_colours(page: Any) -> None:  # noqa: ANN401
    compression, photometric = int(page.compression), int(page.photometric)
    decoded = photometric != YCBCR or compression in _JPEG | _JPEG_2000_RGB
    if photometric not in {MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR} or not decoded:
        colours = _OTHER_COLOURS.get(photometric, "YCbCr" if photometric == YCBCR else f"photometric {photometric}")
        raise ReadError(f"its colours are {colours}, which imgpool does not read", "convert it to RGB or grey first")


def _name_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Letters of imgpool's for tifffile's; neighbours without a name become one axis I.

    Returns
    -------
    axes, shape, page_shape
        `page_shape` has the lengths of the axes that became I, where they are several.
    """
    if "X" not in axes or len(axes) != len(shape):
        raise ReadError(f"its axes {axes} of shape {shape} are no image", "save it as a stack of planes first")
    if "Y" not in axes:
        return _name_axes(axes.replace("X", "YX"), (*shape[: axes.index("X")], 1, *shape[axes.index("X") :]))
    unknown = [index for index, axis in enumerate(axes) if axis not in "TCZYXS"]
    if not unknown:
        return axes, shape, ()
    first, last = unknown[0], unknown[-1] + 1
    if len(unknown) != last - first:
        raise ReadError(f"imgpool has no names for the axes {axes}", "save it as OME-TIFF with the axes T, C and Z")
    inner = shape[first:last]
    merged = (*shape[:first], math.prod(inner), *shape[last:])
    return f"{axes[:first]}I{axes[last:]}", merged, inner if len(inner) > 1 else ()


def _order(page: Any, named: str, shape: tuple[int, ...]) -> tuple[str, str]:  # noqa: ANN401
    """The letters of the stored axes, and the order in which the pixels have them: planes last, then samples."""
    leading = "".join(axis for axis in named if axis not in "YXS")
    if "S" not in named:
        return named, leading + "YX"
    if _samples_are_colour(page, shape[named.index("S")]):
        return named, leading + "YXS"
    if "C" in named:
        raise ReadError("the image has channels, each of several samples that are no colours",
                        "save the channels one by one first")  # fmt: skip
    return named.replace("S", "C"), leading + "CYX"


def _samples_are_colour(page: Any, samples: int) -> bool:  # noqa: ANN401
    """Whether S is colours (and alpha) rather than channels."""
    extra = _extra_samples(page)
    if page.photometric in {RGB, YCBCR}:
        if samples not in {3, 4}:
            raise ReadError(f"a pixel has {samples} samples: red, green, blue and {samples - 3} more",
                            "save it as RGB or RGBA, or its channels as a grey stack")  # fmt: skip
        return True
    return samples == 2 and len(extra) == 1 and extra[0] != _UNSPECIFIED  # noqa: PLR2004 - grey + alpha


def _extra_samples(page: Any) -> tuple[int, ...]:  # noqa: ANN401
    return tuple(int(sample) for sample in page.extrasamples or ())


def _dtype(page: Any) -> tuple[np.dtype[Any], int]:  # noqa: ANN401
    """The dtype, and what numbers of fewer bits are multiplied with to fill it."""
    if page.dtype is None or page.dtype.kind == "c":
        raise ReadError(f"numbers of {page.bitspersample} bits and sample format {int(page.sampleformat)} are none "
                        "that imgpool reads", "convert them to an integer or float type first")  # fmt: skip
    if page.bitspersample in _SCALED_BITS and page.photometric in {MINISWHITE, MINISBLACK}:
        return np.dtype(np.uint8), 255 // (2**page.bitspersample - 1)
    return page.dtype.newbyteorder("="), 1


def _white(page: Any, dtype: np.dtype[Any] | None) -> int | None:  # noqa: ANN401
    """What to subtract stored numbers from; -1 for signed ones; None for floats, whose white is not defined."""
    if dtype is not None and dtype.kind == "i":
        return -1
    return None if dtype is not None and dtype.kind == "f" else 2 ** int(page.bitspersample) - 1


def _palette(series: Any) -> Pixels:  # noqa: ANN401
    """The colours as an array (colours, 3), of 8 bits where these tell everything."""
    maps = [page.colormap for page in series.pages if hasattr(page, "colormap")]
    first = maps[0]
    if first is None:
        raise ReadError("it has colours by number, but no palette", "save it again as RGB or grey")
    if any(other is None or not np.array_equal(first, other) for other in maps):
        raise ReadError("its pages have palettes of their own", "save them as RGB first")
    colours = np.asarray(first).T.astype(np.uint16)
    high, low = colours >> 8, colours & 255
    if not low.any() or np.array_equal(low, high):
        return high.astype(np.uint8)
    return colours.astype(np.uint8) if not high.any() else colours
