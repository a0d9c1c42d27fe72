"""How a model is run: which output, which tiles; what it cannot be run with is refused before anything starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.errors import RecipeError
from imgpool.core.filter import Parameters
from imgpool.core.model import Model, ModelAxis, Size, SizeOf, Tensor
from imgpool.core.parameters import suggest_name
from imgpool.models.tiling import Along

TILE = 512
"""Side of a tile where the model takes several; with a third axis `TILE_OF_VOLUME`, and `DEPTH` along that."""

TILE_OF_VOLUME = 128
DEPTH = 32

UNKNOWN_STEP = 32
"""What sides should be multiples of, for a model that does not say: U-Nets halve them up to five times."""

UNKNOWN_OVERLAP = 32
"""What a tile loses at each side for a model that does not say, but no more than an eighth of it."""

ROOM = 4
"""Tiles are so many times as long as what they lose at one end, where they may: half of them is kept."""

MEND = "export it so that each output pixel lies over the same number of input pixels"
ANY = Size(1, 1)
SIDES = "YX"
CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Plan:
    """A model, the tensors that count, and how each axis of space and time is cut."""

    model: Model
    given: Tensor
    made: Tensor
    along: Mapping[str, Along]


def describe(path: str) -> Model:
    """What a package says, by the first runtime that understands it.

    Raises
    ------
    RecipeError
        If none does.
    """
    refusals = []
    for runtime in RUNTIMES:
        try:
            return runtime.describe(path)
        except RecipeError as error:
            refusals.append(error)
    raise refusals[0]


def make_plan(parameters: Parameters) -> Plan:
    """How the filter runs its model with these parameters.

    Raises
    ------
    RecipeError
        If it cannot: the model takes several images, gives none, or other tiles; the message says which.
    """
    path = parameters["path"].path
    model = describe(path)
    try:
        given, made = _input(model), _output(model, parameters["output"])
        if model.format == "ONNX":
            given = replace(given, axes=tuple(map(_assume, given.axes)))
        axes = {axis.letter: axis for axis in made.axes}
        along = {axis.letter: _along(axis, given, axes, parameters) for axis in given.axes if axis.letter not in "BC"}
    except RecipeError as error:
        raise RecipeError(f"the model {path}: {error.message}", error.hint) from None
    return Plan(model, given, made, along)


def largest_tile(plan: Plan) -> tuple[int, ...]:
    """The shape of the largest tile that an image is cut into, without the batch."""
    shape = []
    for axis in plan.given.axes:
        if axis.letter in plan.along:
            along = plan.along[axis.letter]
            shape.append(_longest(Size(along.least, along.step), along.limit))
        elif axis.letter != "B":
            shape.append(axis.size.least if isinstance(axis.size, Size) else 1)
    return tuple(shape)


def _input(model: Model) -> Tensor:
    if len(model.inputs) != 1:
        raise RecipeError(f"it takes {len(model.inputs)} images at once", "use a model that takes one")
    (given,) = model.inputs
    for axis in given.axes:
        if axis.letter == "B" and isinstance(axis.size, Size) and not axis.size.fits(1):
            raise RecipeError(f"it takes {axis.size.least} images at once", "export it with a batch of 1")
        if axis.letter in "BC" and isinstance(axis.size, SizeOf):
            raise RecipeError(f"the length of {axis.letter} of its input follows from another", "give it a size")
    if not set(SIDES) <= set(given.letters):
        raise RecipeError(f"its input has the axes {given.letters}, no Y and X", "use a model of images")
    return given


def _output(model: Model, name: str | None) -> Tensor:
    names = [tensor.name for tensor in model.outputs]
    if name is not None and name not in names:
        raise RecipeError(f"it has no output {name!r}", suggest_name(name, names))
    made = model.outputs[0 if name is None else names.index(name)]
    letters, expected = set(made.letters) - set("BC"), set(model.inputs[0].letters) - set("BC")
    if letters != expected:
        raise RecipeError(
            f"its output {made.name!r} has the axes {made.letters}, its input {model.inputs[0].letters}",
            "use a model that makes an image of an image",
        )
    return made


def _assume(axis: ModelAxis) -> ModelAxis:
    """An axis of a model that comes without a description: a side that may be of any length had better not."""
    return replace(axis, size=Size(UNKNOWN_STEP, UNKNOWN_STEP)) if axis.letter in SIDES and axis.size == ANY else axis


def _along(axis: ModelAxis, given: Tensor, made: Mapping[str, ModelAxis], parameters: Parameters) -> Along:
    """How an axis of the input is cut."""
    result, (size, leader) = made[axis.letter], _size(axis, given)
    scale, offset = _relation(result, size, leader)
    tile, overlap = (parameters[name] if axis.letter in SIDES else None for name in ("tile", "overlap"))
    if tile is None and _in_step(axis, given):
        tile = _longest(size, TILE)  # lengths that are to be equal are so in tiles of one size
    if tile is not None:
        size = _exact(size, tile, axis.letter)
    least, step = _on_grid(size, scale, offset)
    longest = least if tile is not None else _longest(Size(least, step), _limit(axis.letter, given))
    asked = tile is not None or overlap is not None
    if overlap is None:
        overlap = math.ceil(result.halo / scale) or _unknown_overlap(longest, offset)
    along = Along(least, step, longest, overlap, scale, offset, 1 if step else _grid(longest, overlap))
    if not asked:
        return replace(along, limit=max(longest, ROOM * along.reach))
    if longest - 2 * along.reach < along.unit:
        raise RecipeError(
            f"of {longest} pixels along {axis.letter} none are left between overlaps of {along.reach}",
            "give a larger tile, or a smaller overlap",
        )
    return along


def _unknown_overlap(tile: int, offset: int) -> int:
    """What a tile should lose beside what its output lacks: nothing, where it lacks something."""
    return 0 if offset < 0 else min(UNKNOWN_OVERLAP, tile // 8)


def _grid(tile: int, overlap: int) -> int:
    """What tiles should begin at multiples of, for a model that does not say; where there is room for it."""
    return UNKNOWN_STEP if tile % UNKNOWN_STEP == 0 and tile >= ROOM * overlap + UNKNOWN_STEP else 1


def _size(axis: ModelAxis, given: Tensor) -> tuple[Size, str]:
    """The lengths that an input axis may have, and the letter of that which decides: itself, or one to be equal to."""
    if isinstance(axis.size, Size):
        return axis.size, axis.letter
    leader = axis.size.letter
    size = next((other.size for other in given.axes if other.letter == leader), None)
    if axis.size.tensor != given.name or not isinstance(size, Size) or (axis.size.scale, axis.size.offset) != (1, 0):
        raise RecipeError(f"the length of {axis.letter} of its input follows from {leader}", "give it sizes of its own")
    return size, leader


def _in_step(axis: ModelAxis, given: Tensor) -> bool:
    """Whether an axis of the input follows another, or is followed."""
    return any(
        isinstance(other.size, SizeOf) and axis.letter in {other.letter, other.size.letter} for other in given.axes
    )


def _relation(result: ModelAxis, size: Size, leader: str) -> tuple[Fraction, int]:
    """Output pixels per input pixel, and how many more there are than that."""
    offset: float
    if isinstance(result.size, SizeOf):
        if result.size.letter not in {leader, result.letter}:
            raise RecipeError(f"the length of {result.letter} of its output does not follow that of its input", MEND)
        scale, offset = Fraction(result.size.scale).limit_denominator(1000), result.size.offset
        if abs(scale - result.size.scale) > CLOSE or scale <= 0:
            raise RecipeError(f"its output is {result.size.scale:g} times as long as its input", MEND)
    else:
        if size.step:
            raise RecipeError(f"{result.letter} of its output is {result.size.least} long, whatever its input", MEND)
        one, other = result.size.least, size.least
        scale = Fraction(one, other) if one % other == 0 or other % one == 0 else Fraction(1)
        offset = float(one - scale * other)
    if offset != int(offset) or int(offset) % 2:
        raise RecipeError(f"{result.letter} of its output is {offset:g} longer than its input: not even", MEND)
    return scale, int(offset)


def _exact(size: Size, tile: int, letter: str) -> Size:
    """Sizes of which the least is the tile asked for."""
    if not size.fits(tile):
        known = f"{size.least} + n × {size.step}" if size.step else f"{size.least}"
        raise RecipeError(f"it takes {known} pixels along {letter}, not a tile of {tile}", "leave tile out")
    return Size(tile, size.step)


def _on_grid(size: Size, scale: Fraction, offset: int) -> tuple[int, int]:
    """The lengths of which there is output, and all its pixels are whole: the least, and the step."""
    unit = scale.denominator
    lengths = (size.least + number * size.step for number in range(unit))
    least = next((length for length in lengths if length % unit == 0), 0)
    step = math.lcm(size.step, unit) if size.step else 0
    if least and step:
        least += max(0, math.floor(-offset / scale - least) // step + 1) * step
    if not least or least * scale + offset <= 0:
        raise RecipeError(f"of {size.least} pixels it makes {float(size.least * scale + offset):g}", MEND)
    return least, step


def _limit(letter: str, given: Tensor) -> int:
    if letter not in SIDES:
        return DEPTH
    return TILE if set(given.letters) <= set("BCYX") else TILE_OF_VOLUME


def _longest(size: Size, limit: int) -> int:
    """The longest that is within the limit, or the least."""
    return size.least + max(0, limit - size.least) // size.step * size.step if size.step else size.least
