"""Pre- and postprocessing: compute the operations of the bioimage.io specification.

Operations run one after another on a whole image, never on a tile: a statistic covers all pixels as the preceding
operation left them. 32-bit floats stay 32-bit; sums are computed in 64 bits.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from imgpool.core.dtypes import restore, working_dtype
from imgpool.core.model import Array, Operation

MAX_BLOCK_VALUES = 1 << 18
"""Number of values squared at a time, since their squares take 64 bits each."""

Parameters = Mapping[str, Any]
References = Mapping[str, tuple[Array, str]]
"""Arrays and their axes, by tensor name."""

Operator = Callable[[Array, str, Parameters, References], Array]

NO_REFERENCES: References = MappingProxyType({})


def apply_operations(
    operations: Iterable[Operation], values: Array, letters: str, references: References = NO_REFERENCES
) -> Array:
    """Apply operations in order.

    Parameters
    ----------
    operations
        The operations of a tensor.
    values
        One sample. It may be overwritten, and may be the result.
    letters
        Its axes, for example ``"CYX"``.
    references
        For postprocessing: the inputs before any preprocessing, with their axes, by name.

    Returns
    -------
    ndarray
        Of the shape of `values`; `dtype_after` gives its dtype.
    """
    for operation in operations:
        values = OPERATORS[operation.name](values, letters, operation.parameters, references)
    return values


def dtype_after(operations: Iterable[Operation], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the result of `apply_operations`, given that of the array."""
    for operation in operations:
        if operation.name == "ensure_dtype":
            dtype = np.dtype(operation.parameters["dtype"])
        elif operation.name == "binarize":
            dtype = np.dtype(np.bool_)
        else:
            dtype = _float_dtype(dtype)
    return dtype


def convert(values: Array, dtype: np.dtype[Any]) -> Array:
    """Convert to another dtype; integers are rounded and clipped, never wrapped."""
    if dtype.kind == "b" or values.dtype.kind == "b":
        return values.astype(dtype, copy=False)
    return restore(values, dtype)


def _ensure_dtype(values: Array, _letters: str, parameters: Parameters, _references: References) -> Array:
    return convert(values, np.dtype(parameters["dtype"]))


def _binarize(values: Array, letters: str, parameters: Parameters, _references: References) -> Array:
    return np.asarray(np.greater(values, _along_axis(parameters["threshold"], parameters, letters)))


def _clip(values: Array, letters: str, parameters: Parameters, _references: References) -> Array:
    values, axes = _as_float(values), _statistic_axes(parameters, letters)
    low, high = (
        _percentile(values, parameters[f"{end}_percentile"], axes, "inverted_cdf")
        if f"{end}_percentile" in parameters
        else parameters.get(end)
        for end in ("min", "max")
    )
    return np.asarray(np.clip(values, low, high, out=values, casting="same_kind"))


def _scale_linear(values: Array, letters: str, parameters: Parameters, _references: References) -> Array:
    gain = _along_axis(parameters.get("gain", 1), parameters, letters)
    offset = _along_axis(parameters.get("offset", 0), parameters, letters)
    return _in_place(np.add, _in_place(np.multiply, _as_float(values), gain), offset)


def _fixed_zero_mean_unit_variance(
    values: Array, letters: str, parameters: Parameters, _references: References
) -> Array:
    mean, std = (_along_axis(parameters[name], parameters, letters) for name in ("mean", "std"))
    return _in_place(np.divide, _in_place(np.subtract, _as_float(values), mean), std)


def _zero_mean_unit_variance(values: Array, letters: str, parameters: Parameters, _references: References) -> Array:
    axes = _statistic_axes(parameters, letters)
    values = _as_float(values)
    values = _in_place(np.subtract, values, _mean(values, axes))
    return _in_place(np.divide, values, _root_mean_square(values, axes) + parameters["eps"])


def _scale_range(values: Array, letters: str, parameters: Parameters, references: References) -> Array:
    source, source_letters = references.get(parameters.get("reference_tensor", ""), (values, letters))
    axes = _statistic_axes(parameters, source_letters, letters)
    percents = parameters.get("min_percentile", 0.0), parameters.get("max_percentile", 100.0)
    low, high = (_align(_percentile(source, percent, axes, "linear"), source_letters, letters) for percent in percents)
    values = _in_place(np.subtract, _as_float(values), low)
    return _in_place(np.divide, values, high - low + parameters["eps"])


def _scale_mean_variance(values: Array, letters: str, parameters: Parameters, references: References) -> Array:
    source, source_letters = references[parameters["reference_tensor"]]
    axes = _statistic_axes(parameters, source_letters, letters)
    mean = _mean(source, axes)
    std = _root_mean_square(source, axes, mean) + parameters["eps"]
    values = _zero_mean_unit_variance(values, letters, parameters, references)
    values = _in_place(np.multiply, values, _align(std, source_letters, letters))
    return _in_place(np.add, values, _align(mean, source_letters, letters))


def _sigmoid(values: Array, _letters: str, _parameters: Parameters, _references: References) -> Array:
    values = _as_float(values)
    np.negative(values, out=values)
    with np.errstate(over="ignore"):  # the reciprocal of infinity is 0
        np.exp(values, out=values)
    values += 1
    return np.asarray(np.reciprocal(values, out=values))


def _softmax(values: Array, letters: str, parameters: Parameters, _references: References) -> Array:
    axis = letters.index(parameters.get("axis", "C"))
    values = _in_place(np.subtract, _as_float(values), values.max(axis=axis, keepdims=True))
    np.exp(values, out=values)
    return _in_place(np.divide, values, values.sum(axis=axis, keepdims=True, dtype=np.float64))


OPERATORS: Mapping[str, Operator] = MappingProxyType({
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


def _float_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.kind == "f" else working_dtype(dtype)


def _as_float(values: Array) -> Array:
    """Convert integers to floats; floats are not copied."""
    return values.astype(_float_dtype(values.dtype), copy=False)


def _in_place(function: np.ufunc, values: Array, operand: float | Array) -> Array:
    """Overwrite `values` with the result, which NumPy computes in 64 bits, block by block; the dtype is kept."""
    return np.asarray(function(values, operand, out=values, dtype=np.float64, casting="same_kind"))


def _statistic_axes(parameters: Parameters, letters: str, target_letters: str = "") -> tuple[int, ...]:
    """Positions of the axes over which a statistic is computed.

    They are the ``axes`` of the operation, or else all but the batch axis; and always those that the target tensor
    lacks.
    """
    selected = parameters.get("axes") or letters.replace("B", "")
    absent = set(letters) - set(target_letters) if target_letters else set()
    return tuple(number for number, letter in enumerate(letters) if letter in selected or letter in absent)


def _align(statistic: Array, source_letters: str, letters: str) -> Array:
    """Reshape a statistic of a tensor with `source_letters` to broadcast against one with `letters`."""
    order = [source_letters.index(letter) for letter in letters if letter in source_letters]
    absent = [number for number, letter in enumerate(source_letters) if letter not in letters]
    shared = statistic.transpose([*absent, *order])[(0,) * len(absent)]
    added = tuple(number for number, letter in enumerate(letters) if letter not in source_letters)
    return np.asarray(np.expand_dims(shared, added))


def _along_axis(value: Any, parameters: Parameters, letters: str) -> Any:  # noqa: ANN401 - a number or a tuple
    """A number unchanged; several numbers as an array along the axis that they belong to."""
    if np.ndim(value) == 0:
        return value
    shape = [1] * len(letters)
    shape[letters.index(parameters["axis"])] = len(value)
    return np.reshape(np.asarray(value, np.float64), shape)


def _mean(values: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.mean(values, axis=axes, keepdims=True, dtype=np.float64))


def _root_mean_square(values: Array, axes: tuple[int, ...], mean: Array | float = 0.0) -> Array:
    """Root mean square of ``values - mean``, computed in blocks along the longest axis."""
    block_axis = max(axes, key=lambda axis: values.shape[axis])
    length = values.shape[block_axis]
    step = max(1, MAX_BLOCK_VALUES * length // values.size)
    total: Any = 0.0
    for start in range(0, length, step):
        block = values[(slice(None),) * block_axis + (slice(start, start + step),)]
        total = total + np.square(np.subtract(block, mean, dtype=np.float64)).sum(axis=axes, keepdims=True)
    return np.asarray(np.sqrt(total * total.size / values.size))


def _percentile(values: Array, percent: float, axes: tuple[int, ...], method: Any) -> Array:  # noqa: ANN401 - a literal
    return np.asarray(np.percentile(values, percent, axis=axes, keepdims=True, method=method), np.float64)
