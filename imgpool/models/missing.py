"""Pixels that are missing, and models: filled before, marked again after."""

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.errors import FilterError
from imgpool.core.model import Array
from imgpool.models.plan import Plan


def missing_of(sample: Pixels) -> Bools | None:
    """Where a sample is NaN, or None where it is nowhere.

    Raises
    ------
    FilterError
        If a pixel is infinite: no statistic has a value then.
    """
    if sample.dtype.kind != "f" or np.isfinite(sample).all():
        return None
    if np.isinf(sample).any():
        raise FilterError(
            "it has infinite pixels, which spoil all that a model makes of it",
            "clip them before it, to the range that counts: add -f rescale_intensity:in=0..1,out=0..1",
        )
    return np.asarray(np.isnan(sample))


def fill(sample: Pixels, missing: Bools, letters: str) -> Pixels:
    """The sample with the value of the nearest pixel of the same channel where one is missing, or 0 where all are."""
    from scipy.ndimage import distance_transform_edt

    if "C" in letters:
        axis = letters.index("C")
        channels = zip(np.moveaxis(sample, axis, 0), np.moveaxis(missing, axis, 0), strict=True)
        return np.stack([fill(*channel, letters.replace("C", "")) for channel in channels], axis)
    if missing.all():
        return np.zeros_like(sample)
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Pixels = sample[tuple(nearest)]
    return filled


def mark(result: Array, missing: Bools, letters: str, plan: Plan) -> Array:
    """Make NaN, or 0 in integers, of what was missing in any channel; where sizes differ, of what lies there."""
    made = plan.made.letters.replace("B", "")
    if "C" in letters:
        missing, letters = np.asarray(missing.any(axis=letters.index("C"))), letters.replace("C", "")
    for axis, letter in enumerate(letters):
        length = result.shape[made.index(letter)]
        places = ((np.arange(length) + 0.5) / float(plan.along[letter].scale)).astype(np.intp)
        missing = missing.take(np.minimum(places, missing.shape[axis] - 1), axis)
    order = [letters.index(letter) for letter in made if letter != "C"]
    missing = missing.transpose(order)
    if "C" in made:
        missing = np.expand_dims(missing, made.index("C"))
    gone = np.nan if result.dtype.kind == "f" else 0
    return np.where(missing, result.dtype.type(gone), result)
