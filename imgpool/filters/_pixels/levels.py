"""Ranges of grey levels, and linear rescaling from one range to another."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, AliasChoices, Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats
from imgpool.core.errors import FilterError
from imgpool.core.parameters import described_as
from imgpool.core.quantity import Range
from imgpool.filters._pixels.point_operations import map_values
from imgpool.filters._pixels.statistics import Levels, level_range

# fmt: off
DtypeName = Literal["uint8", "uint10", "uint12", "uint14", "uint16", "uint32", "uint64",
                    "int8", "int16", "int32", "int64", "float16", "float32", "float64", "float"]
# fmt: on
BITS_IN_UINT16 = {"uint10": 10, "uint12": 12, "uint14": 14}
"""Bits of the camera types that are stored as uint16."""


def _refuse_percentiles(value: Any) -> Any:  # noqa: ANN401 - any type that pydantic accepted
    if isinstance(value, Range) and value.percent:
        raise ValueError("must be a range of grey levels, for example 0..4095")
    return value


LevelRange = Literal["image", "dtype"] | DtypeName | Range
LEVEL_RANGES = "'image', 'dtype', a data type such as uint12, or a range from a lower to a higher value"
"""Values of a `LevelRange`, for messages."""

InRange = Annotated[
    LevelRange,
    described_as(f"{LEVEL_RANGES}, for example 100..4000 or 2%..98%"),
    Field(validation_alias=AliasChoices("in_range", "in")),
]
OutRange = Annotated[
    LevelRange,
    described_as(f"{LEVEL_RANGES}, for example 0..4095"),
    AfterValidator(_refuse_percentiles),
    Field(validation_alias=AliasChoices("out_range", "out")),
]


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(np.uint16 if name in BITS_IN_UINT16 else name)


def _dtype_range(name: str) -> Levels:
    """Return the range of a dtype as in scikit-image: -1 to 1 for floats."""
    if name in BITS_IN_UINT16:
        return 0.0, 2.0 ** BITS_IN_UINT16[name] - 1
    dtype = np.dtype(name)
    return (-1.0, 1.0) if dtype.kind == "f" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))


def output_dtype(dtype: np.dtype[Any], out_range: LevelRange) -> np.dtype[Any]:
    """Return the dtype of the result: the one that `out_range` names, or that of the input."""
    keeps = isinstance(out_range, Range) or out_range in {"image", "dtype"}
    return dtype if keeps else _dtype(str(out_range))


def input_range(valid: Pixels, levels: LevelRange) -> Levels:
    """Return the input range in grey levels.

    Parameters
    ----------
    valid
        The pixels to compute statistics from.
    levels
        The parameter `in_range` of `rescale_intensity`.
    """
    if isinstance(levels, Range):
        return level_range(valid, levels) if levels.percent else (levels.low, levels.high)
    if levels == "image":
        return level_range(valid)
    return _dtype_range(valid.dtype.name if levels == "dtype" else levels)


def output_range(valid: Pixels, levels: LevelRange, *, clip_negative: bool) -> Levels:
    """Return the output range in grey levels; with `clip_negative` that of a dtype starts at 0."""
    low, high = input_range(valid, levels)
    named = not isinstance(levels, Range) and levels != "image"
    return (0.0 if named and clip_negative else low), high


def rescale_levels(
    colour: Pixels, levels: Levels, new_levels: Levels, dtype: np.dtype[Any], nan: float | None
) -> Pixels:
    """Rescale grey levels linearly from one range to another, and clip them.

    Parameters
    ----------
    colour
        Integers or floats of any shape.
    levels, new_levels
        The range before and after. If `levels` is a single level, values are only clipped, as in scikit-image.
    dtype
        Dtype of the result.
    nan
        Replacement for NaN; None keeps NaN.

    Raises
    ------
    FilterError
        If NaN is to be kept and `dtype` cannot hold it.
    """
    _check_nan(colour, dtype, nan)
    low, high = levels
    replacement = 0 if nan is None and dtype.kind != "f" else nan  # a lookup table also needs an entry for NaN

    def rescale(values: Floats) -> Floats:
        missing = np.isnan(values)
        if low < high:
            np.clip(values, low, high, out=values)
            values -= low
            values /= high - low
            values *= new_levels[1] - new_levels[0]
            values += new_levels[0]
        np.clip(values, *new_levels, out=values)
        if replacement is not None:
            values[missing] = replacement
        return values

    return map_values(rescale, colour, dtype)


def _check_nan(colour: Pixels, dtype: np.dtype[Any], nan: float | None) -> None:
    if colour.dtype.kind == "f" and dtype.kind != "f" and nan is None and np.isnan(colour).any():
        raise FilterError(
            f"the image contains NaN, which {dtype} cannot represent",
            "choose a replacement, for example nan=0, or a float type for the result",
        )
