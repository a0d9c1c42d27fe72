"""Plan how a model is applied: which input and output, and in which tiles.

Requests that a model cannot serve are refused here, before anything starts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError, UnrecognisedModelError
from imgpool.core.hint import Hint
from imgpool.core.model import Model, ModelAxis, Size, SizeReference, Tensor
from imgpool.core.parameters import suggest_name
from imgpool.models.tiling import AxisTiling

DEFAULT_TILE_PX = 512
"""Side of a tile if the model takes several; `DEFAULT_VOLUME_TILE_PX` if the model also takes Z or T."""

DEFAULT_VOLUME_TILE_PX = 128

DEFAULT_TILE_DEPTH = 32
"""Length of a tile along Z or T, in slices or frames, if the model takes several."""

DEFAULT_SIDE_MULTIPLE_PX = 32
"""Assumed for models that do not declare sizes: U-Nets halve the sides up to five times."""

MAX_DEFAULT_OVERLAP_PX = 32
"""Overlap for models that do not declare a halo; at most an eighth of the tile."""

MIN_TILE_PER_DISCARDED = 4
"""Default length of a tile relative to what it discards at one end, so that at least half of it is kept."""

EXPORT_HINT = "export it so that each output pixel corresponds to the same number of input pixels"
ANY_SIZE = Size(1, 1)
SIDES = "YX"

MAX_TILE_PX = 2048
"""Largest side of a tile that can be requested."""

MAX_TILE_VALUES = 2**30
"""Most numbers in the largest tile: 4 GiB as 32-bit floats."""

MAX_SCALE_DENOMINATOR = 1000
MAX_SCALE_ERROR = 1e-6
"""A declared scale of an output must be this close to a fraction with a denominator of at most 1000."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model, the input and output that are used, and the tiling of each axis of space and time, by letter."""

    model: Model
    input: Tensor
    output: Tensor
    tilings: Mapping[str, AxisTiling]


class _Request(NamedTuple):
    """Tile and overlap that were requested for an axis, or None."""

    tile: int | None = None
    overlap: int | None = None


NO_REQUEST = _Request()


def describe_model(path: str) -> Model:
    """Describe a package with the first runtime that can read it.

    Raises
    ------
    RecipeError
        If no runtime can: the error of a runtime that recognises the package, if there is one.
    """
    errors = {}
    for runtime in RUNTIMES:
        try:
            return runtime.describe(path)
        except RecipeError as error:
            errors[runtime.name] = error
    raise _most_relevant(errors)


def plan_model(
    model: Model, *, output: str | None = None, tile: int | None = None, overlap: int | None = None
) -> ModelPlan:
    """Plan how to apply a model to images.

    Parameters
    ----------
    model
        The model.
    output
        Name of the output to keep; None for the first.
    tile, overlap
        Side of a tile, and the pixels discarded at each of its sides; None for the defaults.

    Raises
    ------
    RecipeError
        If the model cannot be used: for example, if it needs several images or does not take such tiles.
    """
    try:
        input_, output_ = _choose_input(model), _choose_output(model, output)
        if model.format == "ONNX":
            input_ = replace(input_, axes=tuple(map(_with_side_multiple, input_.axes)))
        tilings = {
            axis.letter: _tile_axis(
                axis, input_, output_, _Request(tile, overlap) if axis.letter in SIDES else NO_REQUEST
            )
            for axis in input_.axes
            if axis.letter not in "BC"
        }
        plan = ModelPlan(model, input_, output_, tilings)
        _check_tile_size(plan)
    except RecipeError as error:
        raise RecipeError(f"the model {model.path}: {error.message}", error.hint) from None
    return plan


def largest_tile_shape(plan: ModelPlan) -> tuple[int, ...]:
    """Shape of the largest tile, without the batch axis."""
    shape = []
    for axis in plan.input.axes:
        if axis.letter in plan.tilings:
            tiling = plan.tilings[axis.letter]
            shape.append(_largest_length(Size(tiling.minimum, tiling.step), tiling.max_tile))
        elif axis.letter != "B":
            shape.append(axis.size.minimum if isinstance(axis.size, Size) else 1)
    return tuple(shape)


def _check_tile_size(plan: ModelPlan) -> None:
    shape = largest_tile_shape(plan)
    if math.prod(shape) > MAX_TILE_VALUES:
        lengths = " × ".join(f"{length:,}" for length in shape)
        raise RecipeError(
            f"it takes tiles of {lengths} along {plan.input.sample_letters}, "
            f"more than {MAX_TILE_VALUES:,} numbers at once",
            f"reduce {Hint('tile')}, or use a model for smaller images",
        )


def _most_relevant(errors: Mapping[str, RecipeError]) -> RecipeError:
    """Choose, among the errors of all runtimes, one that does not say that the package is of another kind.

    Of several, that of a built-in runtime is chosen: plug-ins may raise a plain `RecipeError` for every package.
    """
    built_in = {runtime.name for runtime in RUNTIMES.built_in()}
    name = min(errors, key=lambda name: (isinstance(errors[name], UnrecognisedModelError), name not in built_in))
    return errors[name]


def _choose_input(model: Model) -> Tensor:
    if len(model.inputs) != 1:
        raise RecipeError(f"it takes {len(model.inputs)} images at once", "use a model that takes one")
    (input_,) = model.inputs
    for axis in input_.axes:
        if axis.letter == "B" and isinstance(axis.size, Size) and not axis.size.fits(1):
            raise RecipeError(f"it takes {axis.size.minimum} images at once", "export it with a batch of 1")
        if axis.letter in "BC" and isinstance(axis.size, SizeReference):
            raise RecipeError(
                f"the length of {axis.letter} of its input depends on another axis", "declare a fixed length"
            )
    if not set(SIDES) <= set(input_.letters):
        raise RecipeError(f"its input has the axes {input_.letters}, without Y and X", "use a model for images")
    return input_


def _choose_output(model: Model, name: str | None) -> Tensor:
    names = [tensor.name for tensor in model.outputs]
    if name is not None and name not in names:
        raise RecipeError(f"it has no output {name!r}", suggest_name(name, names))
    output = model.outputs[0 if name is None else names.index(name)]
    letters, input_letters = set(output.letters) - set("BC"), set(model.inputs[0].letters) - set("BC")
    if letters != input_letters:
        raise RecipeError(
            f"its output {output.name!r} has the axes {output.letters}, but its input {model.inputs[0].letters}",
            "use a model whose output is an image",
        )
    return output


def _with_side_multiple(axis: ModelAxis) -> ModelAxis:
    """Restrict a side that may have any length, as bare ONNX files declare it, to the lengths that most models take."""
    if axis.letter in SIDES and axis.size == ANY_SIZE:
        return replace(axis, size=Size(DEFAULT_SIDE_MULTIPLE_PX, DEFAULT_SIDE_MULTIPLE_PX))
    return axis


def _tile_axis(axis: ModelAxis, input_: Tensor, output: Tensor, request: _Request) -> AxisTiling:
    """Tiling of an axis of the input: as requested, or else as the declared lengths and halo require."""
    output_axis = output.axis(axis.letter)
    assert output_axis is not None  # `_choose_output` has compared the axes
    size, base_letter = _input_size(axis, input_)
    scale, offset = _output_relation(output_axis, size, base_letter)
    tile = request.tile
    if tile is None and _shares_its_length(axis, input_):
        tile = _largest_length(size, DEFAULT_TILE_PX)  # axes of equal length need tiles of one size
    if tile is None:
        minimum, step = _whole_pixel_lengths(size, scale, offset)
        max_tile = _largest_length(Size(minimum, step), _default_tile(axis.letter, input_))
    else:
        minimum, step = _whole_pixel_lengths(_size_from(size, tile, axis.letter), scale, offset)
        max_tile = minimum
    overlap = request.overlap
    if overlap is None:
        overlap = math.ceil(output_axis.halo / scale) or _default_overlap(max_tile, offset)
    alignment = 1 if step else _default_alignment(max_tile, overlap)
    tiling = AxisTiling(minimum, step, max_tile, overlap, scale, offset, alignment)
    if tile is None and request.overlap is None:  # a default tile grows with the halo; any other is checked
        return replace(tiling, max_tile=max(max_tile, MIN_TILE_PER_DISCARDED * tiling.discarded))
    _check_overlap(tiling, axis.letter)
    return tiling


def _input_size(axis: ModelAxis, input_: Tensor) -> tuple[Size, str]:
    """Lengths of an input axis, and the letter of the axis that declares them: itself, or one of equal length."""
    if isinstance(axis.size, Size):
        return axis.size, axis.letter
    reference = axis.size
    base = input_.axis(reference.letter)
    is_equal = reference.tensor == input_.name and (reference.scale, reference.offset) == (1, 0)
    if base is None or not isinstance(base.size, Size) or not is_equal:
        raise RecipeError(
            f"the length of {axis.letter} of its input depends on {reference.letter}",
            f"declare lengths for {axis.letter}",
        )
    return base.size, base.letter


def _output_relation(output_axis: ModelAxis, size: Size, base_letter: str) -> tuple[Fraction, int]:
    """Output pixels per input pixel, and additional output pixels."""
    if isinstance(output_axis.size, SizeReference):
        scale, offset = _declared_relation(output_axis.letter, output_axis.size, base_letter)
    elif size.step:
        raise RecipeError(
            f"{output_axis.letter} of its output is {output_axis.size.minimum} long for every input", EXPORT_HINT
        )
    else:
        scale, offset = _fixed_relation(output_axis.size.minimum, size.minimum)
    if offset != int(offset) or int(offset) % 2:
        raise RecipeError(
            f"{output_axis.letter} of its output is {offset:g} longer than its input, which is not an even number",
            EXPORT_HINT,
        )
    return scale, int(offset)


def _declared_relation(letter: str, reference: SizeReference, base_letter: str) -> tuple[Fraction, float]:
    if reference.letter not in {base_letter, letter}:
        raise RecipeError(f"the length of {letter} of its output does not depend on that of its input", EXPORT_HINT)
    scale = Fraction(reference.scale).limit_denominator(MAX_SCALE_DENOMINATOR)
    if abs(scale - reference.scale) > MAX_SCALE_ERROR or scale <= 0:
        raise RecipeError(f"its output is {reference.scale:g} times as long as its input", EXPORT_HINT)
    return scale, reference.offset


def _fixed_relation(output_length: int, input_length: int) -> tuple[Fraction, float]:
    is_multiple = output_length % input_length == 0 or input_length % output_length == 0
    scale = Fraction(output_length, input_length) if is_multiple else Fraction(1)
    return scale, float(output_length - scale * input_length)


def _shares_its_length(axis: ModelAxis, input_: Tensor) -> bool:
    """Whether the axis must have the same length as another axis of the input."""
    return any(
        isinstance(other.size, SizeReference) and axis.letter in {other.letter, other.size.letter}
        for other in input_.axes
    )


def _size_from(size: Size, tile: int, letter: str) -> Size:
    """Lengths of `tile` or more; refuse a tile that the model does not take."""
    if not size.fits(tile):
        raise RecipeError(f"it takes {size} pixels along {letter}, not a tile of {tile}", f"omit {Hint('tile')}")
    return Size(tile, size.step)


def _whole_pixel_lengths(size: Size, scale: Fraction, offset: int) -> tuple[int, int]:
    """Minimum and step of the lengths that yield whole output pixels, and at least one."""
    unit = scale.denominator
    lengths = (size.minimum + number * size.step for number in range(unit))
    minimum = next((length for length in lengths if length % unit == 0), 0)
    step = math.lcm(size.step, unit) if size.step else 0
    if minimum and step:  # increase it until the output has a pixel: minimum × scale + offset > 0
        minimum += max(0, math.floor(-offset / scale - minimum) // step + 1) * step
    if not minimum or minimum * scale + offset <= 0:
        output_length = float(size.minimum * scale + offset)
        raise RecipeError(f"it turns {size.minimum} pixels into {output_length:g}", EXPORT_HINT)
    return minimum, step


def _default_tile(letter: str, input_: Tensor) -> int:
    if letter not in SIDES:
        return DEFAULT_TILE_DEPTH
    return DEFAULT_TILE_PX if set(input_.letters) <= set("BCYX") else DEFAULT_VOLUME_TILE_PX


def _default_overlap(tile: int, offset: int) -> int:
    """The overlap for a model without a halo; none if the model itself omits the border."""
    return 0 if offset < 0 else min(MAX_DEFAULT_OVERLAP_PX, tile // 8)


def _default_alignment(tile: int, overlap: int) -> int:
    """Multiples at which tiles of a fixed length start; 1 (anywhere) if the overlaps leave too little of a tile."""
    multiple = DEFAULT_SIDE_MULTIPLE_PX
    return multiple if tile % multiple == 0 and tile >= MIN_TILE_PER_DISCARDED * overlap + multiple else 1


def _largest_length(size: Size, limit: int) -> int:
    """The largest length within the limit, or else the minimum."""
    return size.minimum + max(0, limit - size.minimum) // size.step * size.step if size.step else size.minimum


def _check_overlap(tiling: AxisTiling, letter: str) -> None:
    if tiling.max_tile - 2 * tiling.discarded < tiling.grid:
        raise RecipeError(
            f"overlaps of {tiling.discarded} leave none of {tiling.max_tile} pixels along {letter}",
            f"increase {Hint('tile')} or reduce {Hint('overlap')}",
        )
