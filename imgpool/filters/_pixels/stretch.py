"""Ranges of grey levels, and stretching one to another."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, AliasChoices, Field

from imgpool.core.axes import Pixels
from imgpool.core.dtypes import Floats
from imgpool.core.errors import FilterError
from imgpool.core.quantity import Range
from imgpool.filters._pixels.groups import Levels, level_range
from imgpool.filters._pixels.values import map_values

# fmt: off
DtypeName = Literal["uint8", "uint10", "uint12", "uint14", "uint16", "uint32", "uint64",
                    "int8", "int16", "int32", "int64", "float16", "float32", "float64", "float"]
# fmt: on
NARROW = {"uint10": 10, "uint12": 12, "uint14": 14}  # bits, kept in uint16


def _grey_levels(value: Any) -> Any:  # noqa: ANN401 - whatever pydantic made of it
    if isinstance(value, Range) and value.percent:
        raise ValueError("the output range is in grey levels, such as 0..4095, not in percentiles")
    return value


LevelRange = Literal["image", "dtype"] | DtypeName | Range
InRange = Annotated[LevelRange, Field(validation_alias=AliasChoices("in_range", "in"))]
OutRange = Annotated[LevelRange, AfterValidator(_grey_levels), Field(validation_alias=AliasChoices("out_range", "out"))]


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype(np.uint16 if name in NARROW else name)


def _dtype_range(name: str) -> Levels:
    """What skimage takes for the range of a dtype: -1 to 1 for floats."""
    if name in NARROW:
        return 0.0, 2.0 ** NARROW[name] - 1
    dtype = np.dtype(name)
    return (-1.0, 1.0) if dtype.kind == "f" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))


def output_dtype(dtype: np.dtype[Any], out_range: LevelRange) -> np.dtype[Any]:
    """The dtype of the result: the one that `out_range` names, else the input's own."""
    keeps = isinstance(out_range, Range) or out_range in {"image", "dtype"}
    return dtype if keeps else _dtype(str(out_range))


def input_levels(counted: Pixels, levels: LevelRange) -> Levels:
    """The input range in grey levels.

    Parameters
    ----------
    counted
        The pixels that statistics look at.
    levels
        As the parameter `in_range` of `rescale_intensity`.
    """
    if isinstance(levels, Range):
        return level_range(counted, levels) if levels.percent else (levels.low, levels.high)
    if levels == "image":
        return level_range(counted)
    return _dtype_range(counted.dtype.name if levels == "dtype" else levels)


def output_levels(counted: Pixels, levels: LevelRange, *, clip_negative: bool) -> Levels:
    """As `input_levels`; the range of a dtype begins at 0 with `clip_negative`."""
    low, high = input_levels(counted, levels)
    named = not isinstance(levels, Range) and levels != "image"
    return (0.0 if named and clip_negative else low), high


def stretch(colour: Pixels, levels: Levels, ends: Levels, dtype: np.dtype[Any], nan: float | None) -> Pixels:
    """Bring grey levels from one range to another.

    Parameters
    ----------
    colour
        Integers or floats of any shape.
    levels, ends
        The range before and after. Where `levels` is a single one, values are only clipped, as skimage does.
    dtype
        Of the result.
    nan
        What becomes of NaN; None leaves it.

    Raises
    ------
    FilterError
        If NaN is left and `dtype` cannot hold it.
    """
    _check_nan(colour, dtype, nan)
    low, high = levels
    replacement = 0 if nan is None and dtype.kind != "f" else nan  # a table asks for NaN even where none occurs

    def rescale(values: Floats) -> Floats:
        missing = np.isnan(values)
        if low < high:
            np.clip(values, low, high, out=values)
            values -= low
            values /= high - low
            values *= ends[1] - ends[0]
            values += ends[0]
        np.clip(values, *ends, out=values)
        if replacement is not None:
            values[missing] = replacement
        return values

    return map_values(rescale, colour, dtype)


def _check_nan(colour: Pixels, dtype: np.dtype[Any], nan: float | None) -> None:
    if colour.dtype.kind == "f" and dtype.kind != "f" and nan is None and np.isnan(colour).any():
        hint = "say what to write instead, for example nan=0, or keep a float type"
        raise FilterError(f"the image holds NaN, which {dtype} cannot", hint)
