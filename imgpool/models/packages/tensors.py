"""Inputs and outputs as a description has them, and what holds of them whatever its version."""

from collections.abc import Mapping
from dataclasses import dataclass

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeOf, Tensor


@dataclass(frozen=True, slots=True)
class Tensors:
    """Inputs and outputs; and the sha256 of each test array by its name, empty where it is not given."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tests: Mapping[str, str]


def check_references(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """Check that there are inputs and outputs, that no name stands twice, and that lengths can be worked out.

    Raises
    ------
    RecipeError
        If one of it is not so.
    """
    if not inputs or not outputs:
        raise RecipeError(f"its description has no {'outputs' if inputs else 'inputs'}")
    names = [tensor.name for tensor in (*inputs, *outputs)]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RecipeError(f"it has two tensors called {twice[0]!r}")
    axes = {(tensor.name, axis.letter): axis for tensor in inputs for axis in tensor.axes}
    for tensor in (*inputs, *outputs):
        _check_test(tensor)
        _check_operations(tensor)
        for axis in tensor.axes:
            if isinstance(axis.size, SizeOf):
                _check_reference(tensor, axis, axes.get((axis.size.tensor, axis.size.letter)))
            elif tensor in outputs and axis.letter in "TZYX" and axis.size.step:
                raise RecipeError(f"the length of {axis.letter} of its output {tensor.name!r} follows from nothing")


def _check_reference(tensor: Tensor, axis: ModelAxis, found: ModelAxis | None) -> None:
    assert isinstance(axis.size, SizeOf)
    if found is None or not isinstance(found.size, Size):
        where = f"{axis.size.letter} of {axis.size.tensor!r}"
        raise RecipeError(
            f"the length of {axis.letter} of {tensor.name!r} is that of {where}, which no input has of its own"
        )
    if axis.size.length(found.size.least) - 2 * axis.halo < 1 and not found.size.step:
        raise RecipeError(f"{axis.letter} of {tensor.name!r} has no length left with a halo of {axis.halo}")


def _check_operations(tensor: Tensor) -> None:
    """Check that there are as many values as entries of the axis along which they lie."""
    sizes = {axis.letter: axis.size for axis in tensor.axes}
    for operation in tensor.operations:
        letter = operation.parameters.get("axis", "")
        size = sizes.get(letter)
        counts = {len(value) for value in operation.parameters.values() if isinstance(value, tuple)}
        if counts and isinstance(size, Size) and not size.fits(max(counts)):
            given = f"{max(counts)} values for the {size.least} entries of {letter}"
            raise RecipeError(f"its {operation.name} of {tensor.name!r} has {given}")


def _check_test(tensor: Tensor) -> None:
    if tensor.test and "://" not in tensor.test and not tensor.test.endswith(".npy"):
        raise RecipeError(f"its test array {tensor.test!r} is no .npy file; nothing else is read, and never a pickle")
