"""Histogram matching: match_histograms."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats, check_numeric, restore
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.reference import Reference
from imgpool.filters._pixels.point_operations import MAX_TABLE_ITEM_BYTES, map_values
from imgpool.filters._pixels.reference_images import read_reference, reference_properties
from imgpool.filters._pixels.statistics import finite, histogram, map_groups

__all__ = ["match_histograms"]


@dataclass(frozen=True, slots=True)
class _CumulativeHistogram:
    """Grey levels of one channel, ascending, and the share of pixels up to each level."""

    levels: Floats
    shares: Floats

    @classmethod
    def from_values(cls, values: Pixels) -> "_CumulativeHistogram":
        levels, counts = np.unique(values, return_counts=True)
        return cls(levels.astype(np.float64), _cumulative_shares(counts))

    def levels_at(self, shares: Floats) -> Floats:
        """Return the grey levels at these cumulative shares, interpolated."""
        levels: Floats = np.interp(shares, self.shares, self.levels)
        return levels


def _check(parameters: Parameters) -> None:
    properties = reference_properties(parameters["reference"], "match_histograms: reference")
    channels, colours = _channels(properties)
    if channels > 1 and colours > 1:
        raise RecipeError(
            f"match_histograms: reference={parameters['reference']} has {channels} channels of {colours} samples",
            "use a reference with channels or with samples, not both",
        )


def _examples(folder: Path, _size: tuple[int, int]) -> list[Parameters]:
    reference = folder / "reference.npy"
    np.save(reference, (np.arange(18 * 14).reshape(18, 14) % 97 + 60).astype(np.uint8))
    return [{"reference": str(reference)}]


@image_filter(tiles="no", check=_check, libraries=("cv2",), examples=_examples)
class match_histograms:  # noqa: N801 - a filter's name
    """Match the histogram of each image to that of a reference image.

    Each grey level is replaced by the level of the reference with the same cumulative share of pixels. Each channel
    (C) of a stack is matched to the same channel of the reference, and each RGB sample to the same sample. A grey
    reference applies to every channel of an image without colour. NaN, infinite and fully transparent pixels are
    ignored on both sides. NaN and alpha stay unchanged.

    Parameters
    ----------
    reference
        Image file with the desired histogram: grey, or with as many channels or samples as the images. Its grey levels
        are used as they are, so it should have the same data type as the images.

    Notes
    -----
    Dtype: any integer or float → the same, rounded and clipped. Agrees with ``skimage.exposure.match_histograms``.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", section "Histogram matching (specification)".

    Examples
    --------
    In a recipe: ``- match_histograms: {reference: plate/well A1.tif}``
    """

    def __init__(self, *, reference: Reference) -> None:
        image = read_reference(reference, "match_histograms: reference")
        if image.pixels.dtype.kind not in "uif":
            raise WorkerError(
                f"match_histograms: reference={reference} has {image.pixels.dtype} pixels",
                "save it as integers or floats",
            )
        self._reference_channels = _channels(image.properties)
        self._histograms = [_CumulativeHistogram.from_values(finite(values)) for values in _split(image)]
        if not all(each.levels.size for each in self._histograms):
            raise WorkerError(
                f"match_histograms: reference={reference} has a channel without a visible, finite pixel",
                "choose another reference",
            )

    def __call__(self, image: Image) -> Image:
        """Match one image; raise `FilterError` if its channels do not match those of the reference."""
        check_numeric(image.pixels, "match_histograms")
        channels, colours = _channels(image.properties)
        if self._reference_channels == (1, 1) and colours == 1:
            matched = [self._match(each, self._histograms) for each in _by_channel(image)]
        elif self._reference_channels == (channels, colours):
            parts = [self._histograms[first : first + colours] for first in range(0, len(self._histograms), colours)]
            matched = [self._match(each, part) for each, part in zip(_by_channel(image), parts, strict=True)]
        else:
            raise FilterError(
                f"the reference has {_format_channels(*self._reference_channels)}, "
                f"the image {_format_channels(channels, colours)}",
                "use a grey reference for grey images, or one with as many channels or samples as the image",
            )
        return image.with_pixels(np.stack(matched, image.axes.index("C")) if "C" in image.axes else matched[0])

    @staticmethod
    def _match(channel: Image, histograms: list[_CumulativeHistogram]) -> Pixels:
        """Match one channel, or each sample of a colour image."""

        def match(colour: Pixels, valid: Pixels) -> Pixels:
            if len(histograms) == 1:
                return _match_values(colour, valid, histograms[0])
            samples = [_match_values(colour[..., s], valid[..., s], each) for s, each in enumerate(histograms)]
            return np.stack(samples, axis=-1)

        return map_groups(channel, "image", channel.pixels.dtype, match).pixels


def _match_values(values: Pixels, valid: Pixels, reference: _CumulativeHistogram) -> Pixels:
    """Replace values by those of the reference with the same cumulative share of pixels."""
    valid = finite(valid)
    if valid.size == 0:
        return values.copy()
    if values.dtype.kind in "ui" and values.dtype.itemsize <= MAX_TABLE_ITEM_BYTES:
        counts, levels = histogram(valid)
        new = reference.levels_at(_cumulative_shares(counts))
        return map_values(lambda each: np.interp(each, levels.astype(np.float64), new), values, values.dtype)
    levels, counts = np.unique(valid, return_counts=True)
    exact = restore(reference.levels_at(_cumulative_shares(counts)), values.dtype)
    places = np.searchsorted(levels, values, side="right") - 1
    result: Pixels = exact[np.maximum(places, 0)]
    if values.dtype.kind == "f":
        np.copyto(result, values, where=np.isnan(values))
    return result


def _cumulative_shares(counts: Pixels) -> Floats:
    sums: Floats = np.cumsum(counts, dtype=np.float64)
    return sums / sums[-1:]


def _split(image: Image) -> list[Pixels]:
    """Return the visible values of every channel and colour sample."""
    if not image.has_samples:
        return [each.pixels for each in _by_channel(image)]
    colour, visible = image.pixels, np.full(image.pixels.shape[:-1], fill_value=True)
    if image.has_alpha:
        colour, visible = image.pixels[..., :-1], np.greater(image.pixels[..., -1], 0)
    return [colour[..., s][visible] for s in range(colour.shape[-1])]


def _by_channel(image: Image) -> list[Image]:
    """Return every channel as a separate image."""
    if "C" not in image.axes:
        return [image]
    axis, axes = image.axes.index("C"), image.axes.replace("C", "")
    return [replace(image, pixels=each, axes=axes) for each in np.moveaxis(image.pixels, axis, 0)]


def _channels(properties: Properties) -> tuple[int, int]:
    """Return the number of channels, and of colour samples per pixel."""
    axes, shape = properties.axes, properties.shape
    samples = {2: 1, 3: 3, 4: 3}[shape[-1]] if axes.endswith("S") else 1
    return shape[axes.index("C")] if "C" in axes else 1, samples


def _format_channels(channels: int, colours: int) -> str:
    count = f"{channels} channels" if channels > 1 else "one channel"
    return f"{count} of {colours} samples" if colours > 1 else count
