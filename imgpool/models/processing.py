"""What is done to arrays before and after a model: the operations of the bioimage.io specification.

They go one after the other, over a whole image: a statistic is that of all its pixels as the operations before it
left them, never of a tile. Values stay in 32-bit floats where they are; sums are taken in 64 bits.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from imgpool.core.dtypes import restore, working_dtype
from imgpool.core.model import Array, Operation

EPS = 1e-6
"""What keeps a division from 0 where the description says no other."""

AT_ONCE = 1 << 18
"""How many values are squared at a time: their squares take 64 bits each."""

Parameters = Mapping[str, Any]
References = Mapping[str, tuple[Array, str]]
Apply = Callable[[Array, str, Parameters, References], Array]

NONE: References = MappingProxyType({})


def process(operations: Iterable[Operation], values: Array, letters: str, references: References = NONE) -> Array:
    """Apply operations in order.

    Parameters
    ----------
    operations
        From a tensor of a model.
    values
        One sample. It may be overwritten; the result may be the same array.
    letters
        Its axes, as in ``"CYX"``.
    references
        For the operations on outputs: the inputs as they were before any processing, with their axes, by name.

    Returns
    -------
    ndarray
        Of the shape of `values` and the dtype that `dtype_after` says.
    """
    for operation in operations:
        values = OPERATIONS[operation.name](values, letters, operation.parameters, references)
    return values


def dtype_after(operations: Iterable[Operation], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a processed array, given that of the array."""
    for operation in operations:
        if operation.name == "ensure_dtype":
            dtype = np.dtype(operation.parameters["dtype"])
        elif operation.name == "binarize":
            dtype = np.dtype(np.bool_)
        else:
            dtype = _floating(dtype)
    return dtype


def convert(values: Array, dtype: np.dtype[Any]) -> Array:
    """The values in another dtype: rounded and clipped for integers, never wrapped."""
    if dtype.kind == "b" or values.dtype.kind == "b":
        return values.astype(dtype, copy=False)
    return restore(values, dtype)


def _ensure_dtype(values: Array, _letters: str, given: Parameters, _references: References) -> Array:
    return convert(values, np.dtype(given["dtype"]))


def _binarize(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    return np.asarray(np.greater(values, _spread(given["threshold"], given, letters)))


def _clip(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    values, axes = _owned(values), _axes(given, letters)
    low, high = (
        _percentile(values, given[f"{end}_percentile"], axes, "inverted_cdf")
        if f"{end}_percentile" in given
        else given.get(end)
        for end in ("min", "max")
    )
    return np.asarray(np.clip(values, low, high, out=values, casting="same_kind"))


def _scale_linear(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    values = _owned(values)
    gain, offset = (_spread(given.get(name, default), given, letters) for name, default in (("gain", 1), ("offset", 0)))
    return _in_place(np.add, _in_place(np.multiply, values, gain), offset)


def _fixed_zero_mean_unit_variance(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    mean, std = (_spread(given[name], given, letters) for name in ("mean", "std"))
    return _in_place(np.divide, _in_place(np.subtract, _owned(values), mean), std)


def _zero_mean_unit_variance(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    axes = _axes(given, letters)
    values = _in_place(np.subtract, _owned(values), _mean(values, axes))
    return _in_place(np.divide, values, _root_mean_square(values, axes) + given.get("eps", EPS))


def _scale_range(values: Array, letters: str, given: Parameters, references: References) -> Array:
    source, own = references.get(given.get("reference_tensor", ""), (values, letters))
    low, high = given.get("min_percentile", 0.0), given.get("max_percentile", 100.0)
    axes = _axes(given, own, letters)
    lower, upper = (_align(_percentile(source, percent, axes, "linear"), own, letters) for percent in (low, high))
    values = _in_place(np.subtract, _owned(values), lower)
    return _in_place(np.divide, values, upper - lower + given.get("eps", EPS))


def _scale_mean_variance(values: Array, letters: str, given: Parameters, references: References) -> Array:
    source, own = references[given["reference_tensor"]]
    axes = _axes(given, own, letters)
    mean = _mean(source, axes)
    std = _root_mean_square(source, axes, mean) + given.get("eps", EPS)
    values = _zero_mean_unit_variance(values, letters, given, references)
    return _in_place(np.add, _in_place(np.multiply, values, _align(std, own, letters)), _align(mean, own, letters))


def _sigmoid(values: Array, _letters: str, _given: Parameters, _references: References) -> Array:
    values = _owned(values)
    np.negative(values, out=values)
    with np.errstate(over="ignore"):  # infinity, of which 0 comes in the end
        np.exp(values, out=values)
    values += 1
    return np.asarray(np.reciprocal(values, out=values))


def _softmax(values: Array, letters: str, given: Parameters, _references: References) -> Array:
    axis = letters.index(given.get("axis", "C"))
    values = _in_place(np.subtract, _owned(values), values.max(axis=axis, keepdims=True))
    np.exp(values, out=values)
    return _in_place(np.divide, values, values.sum(axis=axis, keepdims=True, dtype=np.float64))


OPERATIONS: Mapping[str, Apply] = MappingProxyType({
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _ensure_dtype,
    "fixed_zero_mean_unit_variance": _fixed_zero_mean_unit_variance,
    "scale_linear": _scale_linear,
    "scale_mean_variance": _scale_mean_variance,
    "scale_range": _scale_range,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean_unit_variance,
})  # fmt: skip


def _floating(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "f" else working_dtype(dtype)


def _owned(values: Array) -> Array:
    """The values as floats, which may be overwritten."""
    return values.astype(_floating(values.dtype), copy=False)


def _in_place(function: np.ufunc, values: Array, operand: float | Array) -> Array:
    """Compute in 64 bits, a few numbers at a time, and keep the dtype of the values."""
    return np.asarray(function(values, operand, out=values, dtype=np.float64, casting="same_kind"))


def _axes(given: Parameters, letters: str, target: str = "") -> tuple[int, ...]:
    """The positions of the axes that a statistic takes together: all but the batch where none are named.

    Those that `target`, the tensor to which it is applied, does not have are among them.
    """
    wanted = given.get("axes") or letters.replace("B", "")
    gone = set(letters) - set(target) if target else set()
    return tuple(number for number, letter in enumerate(letters) if letter in wanted or letter in gone)


def _align(statistic: Array, own: str, letters: str) -> Array:
    """A statistic of a tensor with the axes `own`, in such a shape that it fits one with the axes `letters`."""
    order = [own.index(letter) for letter in letters if letter in own]
    gone = [number for number, letter in enumerate(own) if letter not in letters]
    shared = statistic.transpose([*gone, *order])[(0,) * len(gone)]
    added = tuple(number for number, letter in enumerate(letters) if letter not in own)
    return np.asarray(np.expand_dims(shared, added))


def _spread(value: Any, given: Parameters, letters: str) -> Any:  # noqa: ANN401 - a number, or one per channel
    """A number; or several, in the direction in which they lie."""
    if np.ndim(value) == 0:
        return value
    shape = [1] * len(letters)
    shape[letters.index(given["axis"])] = len(value)
    return np.reshape(np.asarray(value, np.float64), shape)


def _mean(values: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.mean(values, axis=axes, keepdims=True, dtype=np.float64))


def _root_mean_square(values: Array, axes: tuple[int, ...], mean: Array | float = 0.0) -> Array:
    """The standard deviation of values about their mean."""
    along = max(axes, key=lambda axis: values.shape[axis])
    length = values.shape[along]
    step = max(1, AT_ONCE * length // values.size)
    total: Any = 0.0
    for start in range(0, length, step):
        block = values[(slice(None),) * along + (slice(start, start + step),)]
        total = total + np.square(np.subtract(block, mean, dtype=np.float64)).sum(axis=axes, keepdims=True)
    return np.asarray(np.sqrt(total * total.size / values.size))


def _percentile(values: Array, percent: float, axes: tuple[int, ...], method: Any) -> Array:  # noqa: ANN401 - a literal
    return np.asarray(np.percentile(values, percent, axis=axes, keepdims=True, method=method), np.float64)
