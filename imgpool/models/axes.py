"""Map the axes of an image to those of a model, and those of the model's output to the result."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import FilterError
from imgpool.core.hint import Hint
from imgpool.core.image import PixelSize, Properties
from imgpool.core.model import Array, ModelAxis, Size, Tensor
from imgpool.models.plan import ModelPlan
from imgpool.models.processing import dtype_after

ResultDtype = Literal["model", "image"]
Index = tuple[int | slice, ...]

CORRECT_OUTPUT_HINT = "correct the description of its output"
RGB_SAMPLES = 3

MAX_PIXEL_SIZE_RATIO = 1.25
"""Largest ratio of the pixel sizes of image and model; another camera is 10 % off, another objective 50 % or more."""

MAX_SUGGESTED_SCALE = 100
"""Largest factor by which a message suggests to resize an image; beyond it, its pixel size is taken for a mistake."""

STACK_AXES = {
    "Z": ("stacks of slices", "give it images with an axis Z"),
    "T": ("time series", "give it images with an axis T"),
}
"""What images with this axis are called, and the hint for images without it."""


@dataclass(frozen=True, slots=True)
class AxisMapping:
    """How the axes of an image correspond to those of a model.

    Attributes
    ----------
    axes
        Axes of the image.
    channel_axis
        The image axis that becomes the model's channels: "C", "S", or "" if each channel is passed by itself.
    loop_axes
        Image axes that the model does not take; it runs once for each index along them.
    result_axes
        Axes of the result.
    output_channels
        Number of channels that the model returns.
    """

    axes: str
    channel_axis: str
    loop_axes: str
    result_axes: str
    output_channels: int


def map_axes(properties: Properties, plan: ModelPlan, dtype: ResultDtype) -> AxisMapping:
    """Map the axes of an image without alpha to those of the model.

    Raises
    ------
    FilterError
        If they do not fit; the message says what the model takes and what the image has.
    """
    axes = properties.axes
    lengths = dict(zip(axes, properties.shape, strict=True))
    _check_stack(lengths, plan.input)
    splits_colours = dtype == "image" and _output_channels(plan, 1) == 1  # red, green and blue are filtered separately
    channel_axis = _choose_channel_axis(lengths, plan.input.axis("C"), splits_colours=splits_colours)
    taken = set(plan.input.letters) - {"C"} | {channel_axis}
    loop_axes = "".join(letter for letter in axes if letter not in taken)
    channels = _output_channels(plan, lengths.get(channel_axis, 1))
    return AxisMapping(axes, channel_axis, loop_axes, _result_axes(axes, channel_axis, channels, dtype), channels)


def infer_result(properties: Properties, plan: ModelPlan, dtype: ResultDtype) -> Properties:
    """Properties of the result for an image without alpha.

    Raises
    ------
    FilterError
        If the image does not fit the model.
    """
    _check_dtype(properties.dtype, plan.input)
    _check_pixel_size(properties, plan.input)
    mapping = map_axes(properties, plan, dtype)
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    result_lengths = lengths | {
        letter: tiling.output_length(lengths[letter]) for letter, tiling in plan.tilings.items() if letter in lengths
    }
    result_lengths["C"] = mapping.output_channels * (lengths.get("C", 1) if "C" in mapping.loop_axes else 1)
    result_lengths["S"] = lengths["S"] if "S" in mapping.loop_axes else mapping.output_channels
    return replace(
        properties,
        shape=tuple(result_lengths[letter] for letter in mapping.result_axes),
        axes=mapping.result_axes,
        dtype=properties.dtype if dtype == "image" else _output_dtype(plan.output),
        pixel_size=_result_pixel_size(properties.pixel_size, plan),
    )


def iter_samples(pixels: Pixels, mapping: AxisMapping, input_: Tensor) -> Iterator[tuple[dict[str, int], Pixels]]:
    """Iterate over the samples of an image: the parts that the model takes, one by one.

    Yields
    ------
    dict
        Index of the sample along each of the loop axes.
    ndarray
        The sample, with the axes of the model's input except for the batch axis.
    """
    sources = [mapping.channel_axis if letter == "C" else letter for letter in input_.sample_letters]
    present = [letter for letter in sources if letter and letter in mapping.axes]
    absent = tuple(number for number, letter in enumerate(sources) if letter not in present)
    ordered = pixels.transpose([mapping.axes.index(letter) for letter in (*mapping.loop_axes, *present)])
    for index in np.ndindex(ordered.shape[: len(mapping.loop_axes)]):
        yield dict(zip(mapping.loop_axes, index, strict=True)), np.expand_dims(ordered[index], absent)


def arrange_output(values: Array, mapping: AxisMapping, output: Tensor) -> Array:
    """Order the axes of the output for one sample as in the result, without the loop axes.

    Raises
    ------
    FilterError
        If an axis that the result does not have is longer than one.
    """
    letters = output.sample_letters
    if "C" not in letters:
        letters, values = f"C{letters}", values[np.newaxis]
    letters = letters.replace("C", _result_channel_axis(mapping))
    kept = [letter for letter in mapping.result_axes if letter in letters]
    dropped = [letter for letter in letters if letter not in kept]
    for letter in dropped:
        length = values.shape[letters.index(letter)]
        if length > 1:
            raise FilterError(f"the model returns {length} entries along {letter}, not 1", CORRECT_OUTPUT_HINT)
    ordered = values.transpose([letters.index(letter) for letter in (*dropped, *kept)])
    return np.asarray(ordered[(0,) * len(dropped)])


def result_index(loop_index: Mapping[str, int], mapping: AxisMapping) -> Index:
    """Index of the part of the result that the output for one sample fills."""
    channel, count = loop_index.get("C", 0), mapping.output_channels
    channels = slice(channel * count, (channel + 1) * count)
    return tuple(channels if letter == "C" else loop_index.get(letter, slice(None)) for letter in mapping.result_axes)


def result_channel_names(names: Sequence[str], mapping: AxisMapping, output: Tensor) -> tuple[str, ...]:
    """Names of the result's channels, given those of the image; empty if unknown."""
    channel_axis = output.axis("C")
    output_names = channel_axis.channel_names if channel_axis else ()
    if "C" not in mapping.result_axes:
        return ()
    if "C" not in mapping.loop_axes:
        return output_names
    if mapping.output_channels == 1:
        return tuple(names)
    return tuple(f"{channel} {name}" for channel in names for name in output_names)


def _check_dtype(dtype: np.dtype[Any], input_: Tensor) -> None:
    """Refuse an image whose values the integer dtype of the model cannot hold, unless preprocessing scales them."""
    required = np.dtype(input_.dtype)
    is_scaled = any(operation.name != "ensure_dtype" for operation in input_.operations)
    if required.kind in "ui" and not np.can_cast(dtype, required) and not is_scaled:
        step = "to_uint8" if required == np.uint8 else f"rescale_intensity:out={required}"
        raise FilterError(
            f"the model takes {required} pixels, but the image has {dtype}",
            f"add {Hint('filters', step)} before the model",
        )


def _check_pixel_size(properties: Properties, input_: Tensor) -> None:
    """Refuse an image whose pixels are much larger or smaller than those that the model declares.

    Nothing is compared if either of them is unknown.
    """
    scales: dict[str, float] = {}
    for letter in "YXZ":
        axis = input_.axis(letter)
        found = getattr(properties.pixel_size, letter.lower(), None)
        if axis is not None and axis.pixel_size is not None and found:
            scales[letter] = found / axis.pixel_size
    for letter, scale in scales.items():
        if not _is_similar(scale):
            expected = getattr(properties.pixel_size, letter.lower()) / scale
            raise FilterError(
                f"the model takes pixels of {expected:.4g} µm along {letter}, but those of the image have "
                f"{expected * scale:.4g} µm",
                f"{_rescaling_hint(properties, scales, letter)}; if the model takes any pixel size, remove `unit` from "
                "this axis in its description",
            )


def _is_similar(ratio: float) -> bool:
    return 1 / MAX_PIXEL_SIZE_RATIO <= ratio <= MAX_PIXEL_SIZE_RATIO


def _rescaling_hint(properties: Properties, scales: Mapping[str, float], letter: str) -> str:
    """Say how to give an image the pixel size of the model along an axis."""
    scale = scales[letter]
    if letter == "Z":
        return "use images with this distance between slices"
    if not 1 / MAX_SUGGESTED_SCALE <= scale <= MAX_SUGGESTED_SCALE:
        return "check the pixel size in the file"
    if all(_is_similar(scales[side] / scale) for side in "YX" if side in scales):
        step = f"resize:scale={scale:.3g}"
    else:  # the pixels have another shape than those of the model
        lengths = dict(zip(properties.axes, properties.shape, strict=True))
        height, width = (max(1, round(lengths[side] * scales[side])) for side in "YX")
        step = f"resize:height={height},width={width}"
    return f"add {Hint('filters', step)} before the model"


def _check_stack(lengths: Mapping[str, int], input_: Tensor) -> None:
    """Refuse an image without an axis Z or T that the model needs."""
    for letter, (kind, hint) in STACK_AXES.items():
        axis = input_.axis(letter)
        if axis is None or letter in lengths or (isinstance(axis.size, Size) and axis.size.fits(1)):
            continue
        if "I" in lengths:
            raise FilterError(
                f"the model takes {kind}, and the file does not say whether its pages are such a series",
                "save the image as OME-TIFF or as an ImageJ hyperstack",
            )
        raise FilterError(f"the model takes {kind}, but the image has the axes {''.join(lengths)}", hint)


def _choose_channel_axis(lengths: Mapping[str, int], axis: ModelAxis | None, *, splits_colours: bool) -> str:
    """The image axis that becomes the model's channels; "" if each channel is passed by itself."""
    size = axis.size if axis else Size(1)
    assert isinstance(size, Size)  # `plan_model` accepts no other
    if "S" in lengths:
        channel_axis = _channel_axis_in_colour(lengths["S"], size, splits_colours=splits_colours)
    else:
        channel_axis = _channel_axis_in_grey(lengths.get("C"), size)
    if channel_axis is None:
        raise _channel_mismatch(lengths, size, axis.channel_names if axis else ())
    return channel_axis


def _channel_axis_in_colour(samples: int, size: Size, *, splits_colours: bool) -> str | None:
    if size.fits(samples):
        return "S"
    if not size.fits(1):
        return None
    if not splits_colours:
        raise FilterError(
            "the model takes grey images, but the image is in colour",
            f"add {Hint('filters', 'rgb2gray')} before the model",
        )
    return ""


def _channel_axis_in_grey(channels: int | None, size: Size) -> str | None:
    if size.fits(1) and (channels is None or not size.step):
        return ""
    return "C" if channels is not None and size.fits(channels) else None


def _channel_mismatch(lengths: Mapping[str, int], size: Size, names: Sequence[str]) -> FilterError:
    listed = f" ({', '.join(names)})" if names else ""
    found = f"{lengths['C']} channels" if "C" in lengths else "three colours" if "S" in lengths else "one"
    hint = "give it images with that number of channels, or use a model for single channels"
    if lengths.get("C", 0) > size.minimum:
        hint = f"select channels: add {Hint('filters', f'select:c=0..{size.minimum - 1}')} before the model"
    return FilterError(f"the model takes {size.minimum} channels{listed}, but the image has {found}", hint)


def _output_channels(plan: ModelPlan, input_channels: int) -> int:
    """Number of channels that the model returns, given the number that it takes."""
    axis = plan.output.axis("C")
    if axis is None:
        return 1
    if isinstance(axis.size, Size):
        return input_channels if axis.size.step else axis.size.minimum
    reference = plan.input.axis(axis.size.letter)
    if axis.size.letter == "C":
        return axis.size.length(input_channels)
    return axis.size.length(reference.size.minimum if reference and isinstance(reference.size, Size) else 1)


def _result_axes(axes: str, channel_axis: str, channels: int, dtype: ResultDtype) -> str:
    """Axes of the result; several channels become C, which replaces that of the image or comes before Z, I, Y and X."""
    rest = axes.replace(channel_axis, "") if channel_axis else axes
    if channel_axis == "S" and channels == RGB_SAMPLES and dtype == "image":
        return f"{rest}S"
    if channels == 1 or "C" in rest:
        return rest
    position = axes.index("C") if channel_axis == "C" else min(rest.index(letter) for letter in rest if letter in "ZIY")
    return f"{rest[:position]}C{rest[position:]}"


def _result_channel_axis(mapping: AxisMapping) -> str:
    """The axis of the result that holds the channels of one output."""
    return "S" if mapping.channel_axis == "S" and mapping.result_axes.endswith("S") else "C"


def _output_dtype(output: Tensor) -> np.dtype[Any]:
    """Dtype of an output after postprocessing; masks become uint8."""
    dtype = dtype_after(output.operations, np.dtype(output.dtype))
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def _result_pixel_size(size: PixelSize | None, plan: ModelPlan) -> PixelSize | None:
    if size is None:
        return None
    scale_y, scale_x, scale_z = (
        float(plan.tilings[letter].scale) if letter in plan.tilings else 1.0 for letter in "YXZ"
    )
    return PixelSize(size.y / scale_y, size.x / scale_x, size.z / scale_z if size.z is not None else None)
