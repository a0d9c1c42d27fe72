"""Trained models: model."""

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
from imgpool.models.axes import MEND, Dtype, arrange, channel_names, fit, outcome, place, samples
from imgpool.models.missing import fill, mark, missing_of
from imgpool.models.plan import largest_tile, make_plan
from imgpool.models.processing import convert, process
from imgpool.models.tiling import predict_tiles, split, tiles_of

__all__ = ["model"]


def _check(parameters: Parameters) -> None:
    RUNTIMES[make_plan(parameters).model.runtime].version()


def _infer_output(properties: Properties, parameters: Parameters) -> Properties:
    plan = make_plan(parameters)
    flat = without_alpha(properties)
    result = outcome(flat, plan, parameters["dtype"])
    for letter, length in zip(properties.axes, properties.shape, strict=True):
        if letter in plan.along:
            split(length, plan.along[letter])
    return with_alpha(result) if flat != properties and _keeps_alpha(flat, result, parameters["dtype"]) else result


def _keeps_alpha(flat: Properties, result: Properties, dtype: Dtype) -> bool:
    """Whether the result is an image such as the one without alpha that it was made of."""
    return dtype == "image" and result.axes == flat.axes


def _provenance(parameters: Parameters) -> Mapping[str, Any]:
    found = make_plan(parameters).model
    runtime = RUNTIMES[found.runtime].version()
    known = {"model": found.name, "version": found.version, "sha256": found.sha256, "digest": found.digest}
    return {"path": known | {"runtime": runtime}}


@image_filter(
    tiles="no",
    heavy=True,
    infer_output=_infer_output,
    check=_check,
    provenance=_provenance,
    examples=({"path": "denoise", "dtype": "image"}, {"path": "denoise"}),
)
class model:  # noqa: N801 - filters bear the names that stand in recipes
    """Pass an image through a trained model: a bioimage.io package, or an ONNX file.

    Images larger than the model takes go through it in tiles that overlap; of each the middle is kept. The outermost
    tiles end with the image, so that the result is that of the whole where the model could take it whole. Statistics
    that the package asks for (mean, percentiles) are those of the whole image. A model of planes is applied to every
    slice and frame, one of a single channel to every channel, by itself; one of several channels takes the image's
    channels, or its red, green and blue. Several channels that it makes become the axis C, with their names.

    Parameters
    ----------
    path
        The package, as a folder or a zip with a bioimageio.yaml in it (or rdf.yaml, of version 0.4); an ONNX file; or
        the name of a model that comes with imgpool (``imgpool models`` lists them).
    output
        Name of the output to keep; by default the first.
    tile
        Side of what the model is given at once, in pixels, from 1; smaller images are mirrored up to it. By default
        what the model asks for; where it takes several lengths, up to 512 (128 in volumes).
    overlap
        Pixels that a tile loses at each side where it has a neighbour, from 0. By default what the package declares
        (its halo), or an eighth of the tile, 32 at most, where it does not.
    dtype
        Of the result: "model", what it makes; or "image", the input's, rounded and clipped: for models that make
        images of images, such as denoisers. Colours are again samples of a pixel then, and where the model takes
        grey images, it takes red, green and blue each by itself.

    Raises
    ------
    FilterError
        If the image has other channels or axes than the model takes, transparent or infinite pixels.

    Notes
    -----
    Dtype: any number → the model's own, mostly float32; a mask is uint8, 0 or 255. The pixel size follows where the
    model makes images of another size. NaN is filled with the nearest pixel before, and NaN again (in integers 0)
    after. Alpha that is opaque everywhere is dropped, or with dtype "image" kept; so is a colour profile where the
    colours are. An ONNX file without a description is taken to have the axes YX, CYX, BCYX or BCZYX, no processing,
    and sides that are multiples of 32 where it does not fix them. Agrees with the outputs that packages publish.
    """

    def __init__(
        self,
        *,
        path: ModelReference,
        output: str | None = None,
        tile: Annotated[int, Field(ge=1)] | None = None,
        overlap: Annotated[int, Field(ge=0)] | None = None,
        dtype: Dtype = "model",
    ) -> None:
        self._plan = make_plan({"path": path, "output": output, "tile": tile, "overlap": overlap})
        self._dtype: Dtype = dtype
        self._session = RUNTIMES[self._plan.model.runtime].load(self._plan.model)

    def __call__(self, image: Image) -> Image:
        """Pass one image through the model."""
        check_numeric(image.pixels, "model")
        flat = without_alpha(image.properties)
        expected = outcome(flat, self._plan, self._dtype)
        how = fit(flat, self._plan, self._dtype)
        result = np.empty(expected.shape, expected.dtype)
        for where, sample in samples(strip_alpha(image).pixels, how, self._plan.given):
            part = arrange(self._filter(sample, expected.dtype), how, self._plan.made)
            target = result[place(where, how)]
            if target.shape != part.shape:
                raise FilterError(f"the model makes {part.shape}, and {target.shape} was to be expected", MEND)
            target[...] = part
        names = channel_names(image.metadata.channel_names, how, self._plan.made)
        icc = image.metadata.icc if ("S" in flat.axes) == ("S" in expected.axes) else None
        metadata = replace(image.metadata, channel_names=names, icc=icc)
        made = Image(result, expected.axes, expected.pixel_size, metadata)
        return attach_alpha(made) if image.has_alpha and _keeps_alpha(flat, expected, self._dtype) else made

    def rehearse(self) -> None:
        """Compute one tile of nothing, as large as any: what that takes, an image takes beside its own pixels."""
        self._predict(np.zeros(largest_tile(self._plan), self._plan.given.dtype))

    def _filter(self, sample: Pixels, dtype: np.dtype[Any]) -> Array:
        """What the model makes of one sample, with all its axes but the batch."""
        given, made = self._plan.given, self._plan.made
        letters = given.letters.replace("B", "")
        missing = missing_of(sample)
        whole = fill(sample, missing, letters) if missing is not None else sample
        values = process(given.operations, np.array(whole, working_dtype(whole.dtype), order="C"), letters)
        values = convert(values, np.dtype(given.dtype))
        pieces = {
            letter: split(length, self._plan.along[letter])
            for letter, length in zip(letters, values.shape, strict=True)
            if letter in self._plan.along
        }
        predicted = predict_tiles(values, letters, tiles_of(pieces), self._predict, made.letters.replace("B", ""))
        del values
        result = process(made.operations, predicted, made.letters.replace("B", ""), {given.name: (whole, letters)})
        if result.dtype.kind == "f" and not np.isfinite(result).all():
            raise FilterError(f"the model {self._plan.model.name!r} gives values that are no numbers",
                              "look whether the image has the range of values that it was trained on")  # fmt: skip
        result = result * dtype.type(full_scale(dtype)) if result.dtype.kind == "b" else convert(result, dtype)
        return result if missing is None else mark(result, missing, letters, self._plan)

    def _predict(self, tile: Array) -> Array:
        """One tile through the model; the batch comes and goes here."""
        given, made = self._plan.given, self._plan.made
        batch = given.letters.find("B")
        tile = np.expand_dims(tile, batch) if batch >= 0 else tile
        output = self._session.predict({given.name: tile})[made.name]
        return np.asarray(output.take(0, made.letters.index("B")) if "B" in made.letters else output)
