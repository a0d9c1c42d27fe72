"""Missing pixels (NaN): filled before a model and marked as missing again in its result."""

import numpy as np

from imgpool.core.axes import Bools, Pixels
from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint
from imgpool.core.model import Array
from imgpool.models.plan import ModelPlan


def find_missing(sample: Pixels) -> Bools | None:
    """Mask of the NaN pixels of a sample; None if there are none.

    Raises
    ------
    FilterError
        If a pixel is infinite: the statistics of preprocessing would be undefined.
    """
    if sample.dtype.kind != "f" or np.isfinite(sample).all():
        return None
    if np.isinf(sample).any():
        raise FilterError(
            "the image has infinite pixels, which would spoil the whole result of a model",
            "clip it to its range of values first: "
            f"add {Hint('filters', 'rescale_intensity:in=0..1,out=0..1')} before the model",
        )
    return np.asarray(np.isnan(sample))


def fill_missing(sample: Pixels, missing: Bools, letters: str) -> Pixels:
    """Replace missing pixels by the nearest pixel of the same channel, or by 0 if the whole channel is missing."""
    from scipy.ndimage import distance_transform_edt

    if "C" in letters:
        axis = letters.index("C")
        channels = zip(np.moveaxis(sample, axis, 0), np.moveaxis(missing, axis, 0), strict=True)
        return np.stack([fill_missing(*channel, letters.replace("C", "")) for channel in channels], axis)
    if missing.all():
        return np.zeros_like(sample)
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    filled: Pixels = sample[tuple(nearest)]
    return filled


def restore_missing(result: Array, missing: Bools, letters: str, plan: ModelPlan) -> Array:
    """Set result pixels to NaN, or 0 in integers, where any channel of the input is missing.

    Parameters
    ----------
    result
        Postprocessed output for one sample.
    missing
        Mask from `find_missing`.
    letters
        Axes of the mask.
    plan
        Gives the axes of the result, and its scale along each.
    """
    result_letters = plan.output.sample_letters
    if "C" in letters:
        missing, letters = np.asarray(missing.any(axis=letters.index("C"))), letters.replace("C", "")
    for axis, letter in enumerate(letters):
        length = result.shape[result_letters.index(letter)]
        nearest = ((np.arange(length) + 0.5) / float(plan.tilings[letter].scale)).astype(np.intp)
        missing = missing.take(np.minimum(nearest, missing.shape[axis] - 1), axis)
    missing = missing.transpose([letters.index(letter) for letter in result_letters if letter != "C"])
    if "C" in result_letters:
        missing = np.expand_dims(missing, result_letters.index("C"))
    value = np.nan if result.dtype.kind == "f" else 0
    return np.where(missing, result.dtype.type(value), result)
