"""Application of trained models: model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from imgpool.core.axes import Pixels
from imgpool.core.catalogue import RUNTIMES
from imgpool.core.dtypes import check_numeric, full_scale, working_dtype
from imgpool.core.errors import FilterError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.model import Array, ModelReference
from imgpool.models.alpha import attach_alpha, strip_alpha, with_alpha, without_alpha
from imgpool.models.axes import (
    CORRECT_OUTPUT_HINT,
    AxisMapping,
    ResultDtype,
    arrange_output,
    infer_result,
    iter_samples,
    map_axes,
    result_channel_names,
    result_index,
)
from imgpool.models.missing_pixels import fill_missing, find_missing, restore_missing
from imgpool.models.plan import MAX_TILE_PX, ModelPlan, describe_model, largest_tile_shape, plan_model
from imgpool.models.processing import apply_operations, convert
from imgpool.models.tiling import Tile, combine_ranges, predict_tiles, split_axis

__all__ = ["model"]


def _check(parameters: Parameters) -> None:
    """Check all but whether the runtime's library is installed: a recipe can be shown without it, but not run."""
    _plan_from(parameters)


def _infer_output(properties: Properties, parameters: Parameters) -> Properties:
    plan = _plan_from(parameters)
    opaque = without_alpha(properties)
    result = infer_result(opaque, plan, parameters["dtype"])
    for letter, length in zip(properties.axes, properties.shape, strict=True):
        if letter in plan.tilings:
            split_axis(length, plan.tilings[letter])
    keeps_alpha = opaque != properties and _keeps_alpha(opaque, result, parameters["dtype"])
    return with_alpha(result) if keeps_alpha else result


def _provenance(parameters: Parameters) -> Mapping[str, Any]:
    described = _plan_from(parameters).model
    runtime = RUNTIMES[described.runtime].version()
    identity = {
        "model": described.name,
        "version": described.version,
        "sha256": described.sha256,
        "digest": described.digest,
    }
    return {"path": identity | {"runtime": runtime}}


def _plan_from(parameters: Parameters) -> ModelPlan:
    described = describe_model(parameters["path"].path)
    return plan_model(described, output=parameters["output"], tile=parameters["tile"], overlap=parameters["overlap"])


@image_filter(
    tiles="no",
    heavy=True,
    infer_output=_infer_output,
    check=_check,
    provenance=_provenance,
    examples=({"path": "denoise", "dtype": "image"}, {"path": "denoise"}),
)
class model:  # noqa: N801 - filters are named as in recipes
    """Apply a trained model: a bioimage.io package or an ONNX file.

    Images that are larger than the model takes are processed in overlapping tiles, of which the central parts are
    kept. The outermost tiles end at the edges of the image, so the result is that of the whole image, if the model
    could take it whole. Statistics that the package asks for (mean, percentiles) cover the whole image.

    A model of planes is applied to each slice and frame. A model of one channel is applied to each channel by itself;
    a model of several channels takes the image's channels, or its red, green and blue. Several output channels become
    the axis C, with the names from the package.

    Parameters
    ----------
    path
        A package: a folder or zip with a bioimageio.yaml (or rdf.yaml, version 0.4); an ONNX file; or the name of a
        built-in model (``imgpool models`` lists them).
    output
        Name of the output to keep; by default the first.
    tile
        Side of a tile in pixels, from 1 to 2048; smaller images are extended by mirroring. By default the size that the
        model requires; if it takes several sizes, up to 512 (128 in volumes).
    overlap
        Pixels discarded at each side of a tile that has a neighbour there, from 0. By default the halo that the
        package declares; without one, an eighth of the tile, at most 32.
    dtype
        Dtype of the result: "model", the model's own; or "image", that of the input, rounded and clipped. Use "image"
        for models that return an image of the same kind, such as denoisers: then colours stay samples of a pixel, and
        a model of grey images is applied to red, green and blue separately.

    Raises
    ------
    FilterError
        If the image has other channels or axes than the model takes, transparent or infinite pixels, or pixels more
        than 1.25 times as large or small as the model declares.

    Notes
    -----
    Dtype: any number → the model's own, usually float32; a mask becomes uint8, 0 or 255. The pixel size is adapted if
    the model returns images of another size. NaN is replaced by the nearest pixel before the model, and is NaN (in
    integers, 0) in the result. Opaque alpha is dropped, or kept with dtype "image". The colour profile is kept if the
    colours are. An ONNX file without a description is assumed to have the axes YX, CYX, BCYX or BCZYX, no processing,
    and sides that are multiples of 32 unless it fixes them. Agrees with the outputs that packages publish.
    """

    def __init__(
        self,
        *,
        path: ModelReference,
        output: str | None = None,
        tile: Annotated[int, Field(ge=1, le=MAX_TILE_PX)] | None = None,
        overlap: Annotated[int, Field(ge=0, le=MAX_TILE_PX)] | None = None,
        dtype: ResultDtype = "model",
    ) -> None:
        self._plan = plan_model(describe_model(path.path), output=output, tile=tile, overlap=overlap)
        self._dtype: ResultDtype = dtype
        self._session = RUNTIMES[self._plan.model.runtime].load(self._plan.model)

    def __call__(self, image: Image) -> Image:
        """Strip alpha, filter each sample that the model takes, and assemble the results."""
        check_numeric(image.pixels, "model")
        opaque = without_alpha(image.properties)
        expected = infer_result(opaque, self._plan, self._dtype)
        mapping = map_axes(opaque, self._plan, self._dtype)
        result = np.empty(expected.shape, expected.dtype)
        for index, sample in iter_samples(strip_alpha(image).pixels, mapping, self._plan.input):
            output = self._filter_sample(sample, expected.dtype)
            _store(arrange_output(output, mapping, self._plan.output), result[result_index(index, mapping)])
        return self._with_metadata(image, result, opaque, expected, mapping)

    def rehearse(self) -> None:
        """Compute one tile of the largest shape, filled with zeros, to measure the memory that images need."""
        self._predict_tile(np.zeros(largest_tile_shape(self._plan), self._plan.input.dtype))

    def _filter_sample(self, sample: Pixels, dtype: np.dtype[Any]) -> Array:
        """Pass one sample through preprocessing, the model in tiles, and postprocessing."""
        input_, output = self._plan.input, self._plan.output
        letters = input_.sample_letters
        missing = find_missing(sample)
        raw = sample if missing is None else fill_missing(sample, missing, letters)
        values = np.array(raw, working_dtype(raw.dtype), order="C")
        values = convert(apply_operations(input_.operations, values, letters), np.dtype(input_.dtype))
        tiles = self._tiles(values.shape)
        predicted = predict_tiles(values, letters, tiles, self._predict_tile, output.sample_letters)
        del values
        references = {input_.name: (raw, letters)}
        result = apply_operations(output.operations, predicted, output.sample_letters, references)
        self._check_finite(result)
        result = _to_dtype(result, dtype)
        return result if missing is None else restore_missing(result, missing, letters, self._plan)

    def _tiles(self, shape: tuple[int, ...]) -> list[Tile]:
        lengths = dict(zip(self._plan.input.sample_letters, shape, strict=True))
        tilings = self._plan.tilings
        return combine_ranges(
            {letter: split_axis(length, tilings[letter]) for letter, length in lengths.items() if letter in tilings}
        )

    def _predict_tile(self, tile: Array) -> Array:
        """Run the model on one tile, adding and removing the batch axis."""
        input_, output = self._plan.input, self._plan.output
        batch = input_.letters.find("B")
        tile = np.expand_dims(tile, batch) if batch >= 0 else tile
        predicted = self._session.predict({input_.name: tile})[output.name]
        return np.asarray(predicted.take(0, output.letters.index("B")) if "B" in output.letters else predicted)

    def _check_finite(self, result: Array) -> None:
        if result.dtype.kind == "f" and not np.isfinite(result).all():
            raise FilterError(
                f"the model {self._plan.model.name!r} returns NaN or infinite values",
                "check that the image has the range of values that the model was trained on",
            )

    def _with_metadata(
        self, image: Image, pixels: Pixels, opaque: Properties, expected: Properties, mapping: AxisMapping
    ) -> Image:
        """Make the result, with the image's metadata as far as it still applies."""
        names = result_channel_names(image.metadata.channel_names, mapping, self._plan.output)
        icc = image.metadata.icc if ("S" in opaque.axes) == ("S" in expected.axes) else None
        metadata = replace(image.metadata, channel_names=names, icc=icc)
        result = Image(pixels, expected.axes, expected.pixel_size, metadata)
        return attach_alpha(result) if image.has_alpha and _keeps_alpha(opaque, expected, self._dtype) else result


def _keeps_alpha(opaque: Properties, result: Properties, dtype: ResultDtype) -> bool:
    """Whether opaque alpha is kept, given the properties of the image without it and those of the result."""
    return dtype == "image" and result.axes == opaque.axes


def _store(output: Array, target: Array) -> None:
    if target.shape != output.shape:
        raise FilterError(
            f"the model returns the shape {output.shape}, but {target.shape} is declared", CORRECT_OUTPUT_HINT
        )
    target[...] = output


def _to_dtype(result: Array, dtype: np.dtype[Any]) -> Array:
    """Convert to the dtype of the result; a mask gets the full scale of the dtype."""
    return result * dtype.type(full_scale(dtype)) if result.dtype.kind == "b" else convert(result, dtype)
