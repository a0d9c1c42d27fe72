"""The inputs and outputs that a description declares, and the checks that all versions share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imgpool.core.errors import RecipeError
from imgpool.core.model import ModelAxis, Size, SizeReference, Tensor


@dataclass(frozen=True, slots=True)
class Tensors:
    """The inputs and outputs, and the declared sha256 of each test array by its name; empty if not declared."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    test_hashes: Mapping[str, str]


def check_tensors(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
    """Check that there are inputs and outputs, with unique names and with lengths that can be computed.

    Raises
    ------
    RecipeError
        If any check fails.
    """
    if not inputs or not outputs:
        raise RecipeError(f"its description has no {'outputs' if inputs else 'inputs'}")
    _check_unique(tensor.name for tensor in (*inputs, *outputs))
    for tensor in (*inputs, *outputs):
        _check_test_array(tensor)
        _check_value_counts(tensor)
        _check_size_references(tensor, inputs)
    for tensor in outputs:
        _check_length_is_known(tensor)


def _check_unique(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RecipeError(f"it has two tensors called {name!r}")
        seen.add(name)


def _check_test_array(tensor: Tensor) -> None:
    name = tensor.test_array
    if name and "://" not in name and not name.endswith(".npy"):
        raise RecipeError(f"its test array {name!r} is not a .npy file", "save the test array with numpy.save")


def _check_value_counts(tensor: Tensor) -> None:
    """Check that each operation has one value per entry of its axis."""
    for operation in tensor.operations:
        axis = tensor.axis(operation.parameters.get("axis", ""))
        counts = {len(value) for value in operation.parameters.values() if isinstance(value, tuple)}
        if counts and axis and isinstance(axis.size, Size) and not axis.size.fits(max(counts)):
            found = f"{max(counts)} values for the {axis.size.minimum} entries of {axis.letter}"
            raise RecipeError(f"its {operation.name} of {tensor.name!r} has {found}")


def _check_size_references(tensor: Tensor, inputs: Iterable[Tensor]) -> None:
    by_name = {each.name: each for each in inputs}
    for axis in tensor.axes:
        if isinstance(axis.size, SizeReference):
            other = by_name.get(axis.size.tensor)
            _check_size_reference(tensor, axis, axis.size, other.axis(axis.size.letter) if other else None)


def _check_size_reference(tensor: Tensor, axis: ModelAxis, size: SizeReference, target: ModelAxis | None) -> None:
    if target is None or not isinstance(target.size, Size):
        raise RecipeError(
            f"the length of {axis.letter} of {tensor.name!r} depends on {size.letter} of {size.tensor!r}, "
            "which is not an input axis with a length of its own"
        )
    if size.length(target.size.minimum) - 2 * axis.halo < 1 and not target.size.step:
        raise RecipeError(f"{axis.letter} of {tensor.name!r} has no length left with a halo of {axis.halo}")


def _check_length_is_known(output: Tensor) -> None:
    for axis in output.axes:
        if isinstance(axis.size, Size) and axis.size.step and axis.letter in "TZYX":
            raise RecipeError(
                f"its description does not say how the length of {axis.letter} of its output {output.name!r} depends "
                "on the input",
                "declare the input axis that it depends on",
            )
