"""Between images and the tensors of models: which axis becomes which, and what the result is an image of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import FilterError
from imgpool.core.image import PixelSize, Properties
from imgpool.core.model import Array, ModelAxis, Size, SizeOf, Tensor
from imgpool.models.plan import Plan
from imgpool.models.processing import dtype_after

Dtype = Literal["model", "image"]
Index = tuple[int | slice, ...]

MEND = "say so in the description of its output"
COLOUR = 3  # samples of red, green and blue

STACKS = {
    "Z": ("stacks of slices", "give it images with an axis Z"),
    "T": ("time series", "give it images with an axis T"),
}
"""What images are that have these axes, and what to do about those that do not."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How an image goes through a model.

    Attributes
    ----------
    axes
        Of the image.
    channel
        Which of them the model takes for channels: C, S, or none.
    loop
        Those that it does not take: it is run for each entry of them.
    result
        Axes of the result.
    channels
        How many the model makes.
    """

    axes: str
    channel: str
    loop: str
    result: str
    channels: int


def fit(properties: Properties, plan: Plan, dtype: Dtype) -> Fit:
    """How an image with this header goes through a model; it has no alpha.

    Raises
    ------
    FilterError
        If it does not: the message says what the model takes and what the image has.
    """
    axes = properties.axes
    lengths = dict(zip(axes, properties.shape, strict=True))
    given = {axis.letter: axis for axis in plan.given.axes}
    _check_stack(lengths, given)
    each = dtype == "image" and _channels(plan.made, plan.given, 1) == 1
    channel = _channel(lengths, given.get("C"), each_colour=each)
    taken = set(given) - {"C"} | {channel}
    loop = "".join(letter for letter in axes if letter not in taken)
    channels = _channels(plan.made, plan.given, lengths.get(channel, 1))
    return Fit(axes, channel, loop, _result_axes(axes, channel, channels, dtype), channels)


def outcome(properties: Properties, plan: Plan, dtype: Dtype) -> Properties:
    """The header of the result.

    Raises
    ------
    FilterError
        As `fit`.
    """
    _check_dtype(properties.dtype, plan.given)
    how = fit(properties, plan, dtype)
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    known = {letter: along.output_length(lengths[letter]) for letter, along in plan.along.items() if letter in lengths}
    known["C"] = how.channels * (lengths.get("C", 1) if "C" in how.loop else 1)
    known["S"] = lengths["S"] if "S" in how.loop else how.channels
    return replace(
        properties,
        shape=tuple(known.get(letter, lengths.get(letter, 1)) for letter in how.result),
        axes=how.result,
        dtype=properties.dtype if dtype == "image" else result_dtype(plan.made),
        pixel_size=_pixel_size(properties.pixel_size, plan),
    )


def result_dtype(made: Tensor) -> np.dtype[Any]:
    """The dtype of an output after its processing; a mask is uint8."""
    dtype = dtype_after(made.operations, np.dtype(made.dtype))
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def samples(pixels: Pixels, how: Fit, given: Tensor) -> Iterator[tuple[dict[str, int], Pixels]]:
    """Each part of an image that the model takes, with the model's axes but the batch, and where it lies."""
    sources = [how.channel if letter == "C" else letter for letter in given.letters if letter != "B"]
    order = [how.axes.index(letter) for letter in (*how.loop, *sources) if letter and letter in how.axes]
    added = tuple(number for number, letter in enumerate(sources) if not letter or letter not in how.axes)
    ordered = pixels.transpose(order)
    for place in np.ndindex(ordered.shape[: len(how.loop)]):
        yield dict(zip(how.loop, place, strict=True)), np.expand_dims(ordered[place], added)


def arrange(values: Array, how: Fit, made: Tensor) -> Array:
    """What the model made of one sample, with the axes of the result but those that are looped over.

    Raises
    ------
    FilterError
        If an axis that the result does not have is longer than one.
    """
    letters = made.letters.replace("B", "")
    if "C" not in letters:
        letters, values = f"C{letters}", values[np.newaxis]
    channel = "S" if how.channel == "S" and how.result.endswith("S") else "C"
    kept = [letter for letter in how.result if letter == channel or letter not in how.loop]
    order = [letters.index("C" if letter == channel else letter) for letter in kept]
    gone = [number for number in range(len(letters)) if number not in order]
    for number in gone:
        if values.shape[number] > 1:
            raise FilterError(f"the model makes {values.shape[number]} of axis {letters[number]}, not 1", MEND)
    return np.asarray(values.transpose([*gone, *order])[(0,) * len(gone)])


def place(where: Mapping[str, int], how: Fit) -> Index:
    """Where in the result the part lies that `arrange` gives."""
    channels = slice(where.get("C", 0) * how.channels, (where.get("C", 0) + 1) * how.channels)
    return tuple(channels if letter == "C" else where.get(letter, slice(None)) for letter in how.result)


def channel_names(before: Sequence[str], how: Fit, made: Tensor) -> tuple[str, ...]:
    """Names of the result's channels; none where it has none, or they are not known."""
    names = next((axis.names for axis in made.axes if axis.letter == "C"), ())
    if "C" not in how.result:
        return ()
    if "C" not in how.loop:
        return names
    if how.channels == 1:
        return tuple(before)
    return tuple(f"{channel} {name}" for channel in before for name in names)


def _check_dtype(dtype: np.dtype[Any], given: Tensor) -> None:
    """Refuse to squeeze pixels into an integer type that does not hold them."""
    wanted = np.dtype(given.dtype)
    if wanted.kind in "ui" and not np.can_cast(dtype, wanted) and not _scales(given):
        hint = "add -f to_uint8 before it" if wanted == np.uint8 else f"add -f rescale_intensity:out={wanted} before it"
        raise FilterError(f"the model takes {wanted} pixels, and these are {dtype}", hint)


def _scales(given: Tensor) -> bool:
    return any(operation.name != "ensure_dtype" for operation in given.operations)


def _check_stack(lengths: Mapping[str, int], given: Mapping[str, ModelAxis]) -> None:
    """Refuse an image without depth, or time, for a model that needs it."""
    for letter, (what, hint) in STACKS.items():
        axis = given.get(letter)
        if axis is None or letter in lengths or (isinstance(axis.size, Size) and axis.size.fits(1)):
            continue
        if "I" in lengths:
            raise FilterError(
                f"the model works on {what}, and the image does not tell what its pages are",
                "write it as OME-TIFF or as an ImageJ hyperstack",
            )
        raise FilterError(f"the model works on {what}, and the image has the axes {''.join(lengths)}", hint)


def _channel(lengths: Mapping[str, int], given: ModelAxis | None, *, each_colour: bool) -> str:
    """The axis of the image that becomes the model's channels; none where they are taken one by one.

    Where an image is made of an image, so may red, green and blue be.
    """
    size = given.size if given else Size(1)
    assert isinstance(size, Size)  # a plan has no other
    if "S" in lengths:
        if size.fits(lengths["S"]):
            return "S"
        if size.fits(1) and each_colour:
            return ""
        if size.fits(1):
            raise FilterError("the model takes grey images, and this one is in colour", "add -f rgb2gray before it")
    elif size.fits(1) and ("C" not in lengths or not size.step):
        return ""
    elif "C" in lengths and size.fits(lengths["C"]):
        return "C"
    names = f" ({', '.join(given.names)})" if given and given.names else ""
    found = f"{lengths['C']} channels" if "C" in lengths else "three colours" if "S" in lengths else "one"
    hint = "give it images of that many channels, or a model for each by itself"
    if lengths.get("C", 0) > size.least:
        hint = f"choose among the image's: add -f select:c=0..{size.least - 1} before it"
    raise FilterError(f"the model takes {size.least} channels{names}, and the image has {found}", hint)


def _channels(made: Tensor, given: Tensor, taken: int) -> int:
    """How many channels the model makes of as many as it takes."""
    axis = next((axis for axis in made.axes if axis.letter == "C"), None)
    if axis is None:
        return 1
    if isinstance(axis.size, SizeOf):
        lengths = {each.letter: each.size.least for each in given.axes if isinstance(each.size, Size)}
        return axis.size.length(taken if axis.size.letter == "C" else lengths.get(axis.size.letter, 1))
    return taken if axis.size.step else axis.size.least


def _result_axes(axes: str, channel: str, channels: int, dtype: Dtype) -> str:
    """The axes of the image; C, if the model makes several, where it was, or before Z."""
    rest = axes.replace(channel, "") if channel else axes
    if channel == "S" and channels == COLOUR and dtype == "image":
        return f"{rest}S"
    if channels == 1 or "C" in rest:
        return rest
    where = axes.index("C") if channel == "C" else min(rest.index(letter) for letter in rest if letter in "ZIY")
    return f"{rest[:where]}C{rest[where:]}"


def _pixel_size(size: PixelSize | None, plan: Plan) -> PixelSize | None:
    if size is None:
        return None
    y, x, z = (float(plan.along[letter].scale) if letter in plan.along else 1.0 for letter in "YXZ")
    return PixelSize(size.y / y, size.x / x, size.z / z if size.z is not None else None)
