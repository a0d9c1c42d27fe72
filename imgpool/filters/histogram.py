"""The grey levels of another image: match_histograms."""

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
class _Quantiles:
    """The grey levels of one channel of the reference, ascending, and the share of its pixels up to each."""

    levels: Floats
    shares: Floats

    @classmethod
    def of(cls, values: Pixels) -> "_Quantiles":
        levels, counts = np.unique(values, return_counts=True)
        return cls(levels.astype(np.float64), _shares(counts))

    def at(self, shares: Floats) -> Floats:
        """The grey levels up to which these shares of the pixels reach."""
        levels: Floats = np.interp(shares, self.shares, self.levels)
        return levels


def _check(parameters: Parameters) -> None:
    properties = reference_properties(parameters["reference"], "match_histograms: reference")
    channels, colours = _channels(properties)
    if channels > 1 and colours > 1:
        raise RecipeError(
            f"match_histograms: reference={parameters['reference']} has {channels} channels of {colours} samples",
            "give a reference with channels or with samples, not both",
        )


def _examples(folder: Path, _size: tuple[int, int]) -> list[Parameters]:
    reference = folder / "reference.npy"
    np.save(reference, (np.arange(18 * 14).reshape(18, 14) % 97 + 60).astype(np.uint8))
    return [{"reference": str(reference)}]


@image_filter(tiles="no", check=_check, libraries=("cv2",), examples=_examples)
class match_histograms:  # noqa: N801 - a filter's name
    """Give an image the histogram of a reference image.

    Each grey level becomes the one of the reference up to which the same share of the pixels reaches. Every
    channel (C) through its whole stack is matched with its own of the reference, and so is every sample of RGB;
    a grey reference serves every channel of an image without colour. NaN, infinite and wholly transparent pixels
    do not count on either side; NaN stays NaN, alpha is left as it is.

    Any number type in, the same out: rounded and clipped. The reference's grey levels are taken as they stand, so
    that it ought to be of the same type. Agrees with ``skimage.exposure.match_histograms``.

    Parameters
    ----------
    reference
        Image file with the histogram to have: grey, or with as many channels or samples as the images.

    Notes
    -----
    Source: R. C. Gonzalez, R. E. Woods, "Digital Image Processing", histogram matching (specification).

    Examples
    --------
    ``imgpool process plate -f "match_histograms:reference=plate/well A1.tif"``
    """

    def __init__(self, *, reference: Reference) -> None:
        image = read_reference(reference, "match_histograms: reference")
        if image.pixels.dtype.kind not in "uif":
            raise WorkerError(
                f"match_histograms: reference={reference} has {image.pixels.dtype} pixels", "save it as grey levels"
            )
        self._expected = _channels(image.properties)
        self._quantiles = [_Quantiles.of(finite(values)) for values in _split(image)]
        if not all(each.levels.size for each in self._quantiles):
            raise WorkerError(
                f"match_histograms: reference={reference} has a channel without a visible, finite pixel",
                "choose another reference",
            )

    def __call__(self, image: Image) -> Image:
        """Match one image; raise `FilterError` where its channels do not fit."""
        check_numeric(image.pixels, "match_histograms")
        channels, colours = _channels(image.properties)
        if self._expected == (1, 1) and colours == 1:
            matched = [self._match(each, self._quantiles) for each in _by_channel(image)]
        elif self._expected == (channels, colours):
            count = colours
            parts = [self._quantiles[first : first + count] for first in range(0, len(self._quantiles), count)]
            matched = [self._match(each, part) for each, part in zip(_by_channel(image), parts, strict=True)]
        else:
            raise FilterError(
                f"the reference has {_text(*self._expected)}, the image {_text(channels, colours)}",
                "give a grey reference for grey images, or one with as many channels or samples",
            )
        return image.with_pixels(np.stack(matched, image.axes.index("C")) if "C" in image.axes else matched[0])

    @staticmethod
    def _match(channel: Image, quantiles: list[_Quantiles]) -> Pixels:
        """Match one channel, or of colour every sample."""

        def match(colour: Pixels, counted: Pixels) -> Pixels:
            if len(quantiles) == 1:
                return _matched(colour, counted, quantiles[0])
            samples = [_matched(colour[..., s], counted[..., s], each) for s, each in enumerate(quantiles)]
            return np.stack(samples, axis=-1)

        return map_groups(channel, "image", channel.pixels.dtype, match).pixels


def _matched(values: Pixels, counted: Pixels, reference: _Quantiles) -> Pixels:
    """The values, each in place of that of the reference with the same share of pixels up to it."""
    counted = finite(counted)
    if counted.size == 0:
        return values.copy()
    if values.dtype.kind in "ui" and values.dtype.itemsize <= MAX_TABLE_ITEM_BYTES:
        counts, levels = histogram(counted)
        new = reference.at(_shares(counts))
        return map_values(lambda each: np.interp(each, levels.astype(np.float64), new), values, values.dtype)
    levels, counts = np.unique(counted, return_counts=True)
    exact = restore(reference.at(_shares(counts)), values.dtype)
    places = np.searchsorted(levels, values, side="right") - 1
    result: Pixels = exact[np.maximum(places, 0)]
    if values.dtype.kind == "f":
        np.copyto(result, values, where=np.isnan(values))
    return result


def _shares(counts: Pixels) -> Floats:
    """The share of all that is counted up to each entry."""
    sums: Floats = np.cumsum(counts, dtype=np.float64)
    return sums / sums[-1:]


def _split(image: Image) -> list[Pixels]:
    """The values of every channel and colour sample that are seen."""
    if not image.has_samples:
        return [each.pixels for each in _by_channel(image)]
    colour, visible = image.pixels, np.full(image.pixels.shape[:-1], fill_value=True)
    if image.has_alpha:
        colour, visible = image.pixels[..., :-1], np.greater(image.pixels[..., -1], 0)
    return [colour[..., s][visible] for s in range(colour.shape[-1])]


def _by_channel(image: Image) -> list[Image]:
    """Every channel as an image of its own."""
    if "C" not in image.axes:
        return [image]
    axis, axes = image.axes.index("C"), image.axes.replace("C", "")
    return [replace(image, pixels=each, axes=axes) for each in np.moveaxis(image.pixels, axis, 0)]


def _channels(properties: Properties) -> tuple[int, int]:
    """How many channels there are, and colour samples of each pixel."""
    axes, shape = properties.axes, properties.shape
    samples = {2: 1, 3: 3, 4: 3}[shape[-1]] if axes.endswith("S") else 1
    return shape[axes.index("C")] if "C" in axes else 1, samples


def _text(channels: int, colours: int) -> str:
    count = f"{channels} channels" if channels > 1 else "one channel"
    return f"{count} of {colours} samples" if colours > 1 else count
