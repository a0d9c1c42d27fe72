"""Trained models: the description of a model, and the protocols of the runtime that computes it.

The terms are those of the bioimage.io specification (https://github.com/bioimage-io/spec-bioimage-io). Axes have OME's
letters; ``B`` is the batch axis.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np

from imgpool.core.reference import Reference

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

BUILT_IN_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "models", "built_in")


def built_in_models() -> dict[str, str]:
    """Folders of the models that come with imgpool, by name, sorted."""
    if not os.path.isdir(BUILT_IN_FOLDER):
        return {}
    with os.scandir(BUILT_IN_FOLDER) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] not in "._")
    return {name: os.path.join(BUILT_IN_FOLDER, name) for name in names}


@dataclass(frozen=True, slots=True)
class ModelReference(Reference):
    """A model, given by its path or by the name of a built-in model; ``./denoise`` is always a path."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a name or a path; raise ``ValueError`` if there is no such model."""
        models = built_in_models()
        if isinstance(value, str) and value in models:
            return cls(models[value])
        try:
            return super(ModelReference, cls).parse(value)  # `slots=True` breaks `super` without arguments
        except ValueError as error:
            raise ValueError(f"{error} (built-in models: {', '.join(models) or 'none'})") from None

    def __str__(self) -> str:
        folder, name = os.path.split(self.path)
        return name if folder == BUILT_IN_FOLDER else self.path


@dataclass(frozen=True, slots=True)
class Size:
    """The lengths that an axis can have: ``minimum + n × step``, n ≥ 0. A `step` of 0 fixes the length."""

    minimum: int
    step: int = 0

    def fits(self, length: int) -> bool:
        """Whether the axis can have this length."""
        if self.step == 0:
            return length == self.minimum
        return length >= self.minimum and (length - self.minimum) % self.step == 0

    def __str__(self) -> str:
        return f"{self.minimum} + n × {self.step}" if self.step else str(self.minimum)


@dataclass(frozen=True, slots=True)
class SizeReference:
    """A length that depends on axis `letter` of tensor `tensor`: ``length × scale + offset``, rounded down."""

    tensor: str
    letter: str
    scale: float = 1.0
    offset: float = 0.0

    def length(self, reference: int) -> int:
        """Length of the axis if the other axis has the length `reference`."""
        return math.floor(reference * self.scale + self.offset + 1e-6)  # 49 × (1 / 49) is less than 1


@dataclass(frozen=True, slots=True)
class ModelAxis:
    """One axis of a tensor.

    Attributes
    ----------
    letter
        B, T, C, Z, Y or X.
    size
        The lengths that it can have.
    halo
        Entries at each end of an output that the model computes without enough context; they must be discarded.
    channel_names
        Names of the channels, for a channel axis; may be empty.
    pixel_size
        µm per pixel that the model expects; None if the description does not say.
    """

    letter: str
    size: Size | SizeReference
    halo: int = 0
    channel_names: tuple[str, ...] = ()
    pixel_size: float | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of pre- or postprocessing, named as in the specification ("zero_mean_unit_variance").

    Axes in `parameters` are letters ("YX"), whatever the version of the specification.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes
    ----------
    name
        Operations refer to it by this name. In the graph the name may differ; the order is the same.
    axes
        In the order of the array.
    dtype
        Of the array that enters or leaves the model ("float32").
    operations
        Preprocessing of an input, or postprocessing of an output, in order.
    test_array
        Name of the published test array in the package; empty if there is none.
    """

    name: str
    axes: tuple[ModelAxis, ...]
    dtype: str = "float32"
    operations: tuple[Operation, ...] = ()
    test_array: str = ""

    @property
    def letters(self) -> str:
        """The letters of all axes: "BCYX"."""
        return "".join(axis.letter for axis in self.axes)

    @property
    def sample_letters(self) -> str:
        """The letters of one sample, without the batch axis: "CYX"."""
        return self.letters.replace("B", "")

    def axis(self, letter: str) -> ModelAxis | None:
        """The axis with this letter, or None."""
        return next((axis for axis in self.axes if axis.letter == letter), None)


def tensor_as_dict(tensor: Tensor) -> dict[str, Any]:
    """Convert a tensor to plain values.

    ``imgpool models --json`` prints them, and every fingerprint covers them: the keys must never change.
    """
    return {
        "name": tensor.name,
        "axes": [_axis_as_dict(axis) for axis in tensor.axes],
        "dtype": tensor.dtype,
        "operations": [{"name": each.name, "parameters": dict(each.parameters)} for each in tensor.operations],
        "test": tensor.test_array,
    }


def _axis_as_dict(axis: ModelAxis) -> dict[str, Any]:
    return {
        "letter": axis.letter,
        "size": _size_as_dict(axis.size),
        "halo": axis.halo,
        "names": axis.channel_names,
        "scale": axis.pixel_size,
    }


def _size_as_dict(size: Size | SizeReference) -> dict[str, Any]:
    if isinstance(size, Size):
        return {"least": size.minimum, "step": size.step}
    return {"tensor": size.tensor, "letter": size.letter, "scale": size.scale, "offset": size.offset}


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its package describes it; the weights are not loaded.

    Attributes
    ----------
    path
        The package: a folder, a zip or an ONNX file.
    name, version, description, license, authors
        From the description; a bare ONNX file is named after the file.
    format
        Format of the description: "bioimage.io 0.5.4", or "ONNX".
    runtime
        Name of the runtime plug-in that computes the model: "onnx".
    weights
        Name of the weights file in the package.
    sha256
        Of the weights file, in hexadecimal; equal to the declared one, if the package declares one.
    digest
        sha256 over the weights and everything in the description that can change a result.
    inputs, outputs
        The tensors, in the order of the graph.
    external
        Names and sha256 of further files with weights.
    tolerance
        Largest difference from the published test output that the author allows; None if not stated.
    """

    path: str
    name: str
    format: str
    runtime: str
    weights: str
    sha256: str
    digest: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    version: str = ""
    description: str = ""
    license: str = ""
    authors: tuple[str, ...] = ()
    external: tuple[tuple[str, str], ...] = ()
    tolerance: float | None = None


class Session(Protocol):
    """A loaded model."""

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute all outputs from all inputs, by name; without pre- or postprocessing."""


class Runtime(Protocol):
    """A plug-in that loads models and computes them."""

    @property
    def name(self) -> str:
        """The name that `Model.runtime` refers to."""

    @property
    def summary(self) -> str:
        """What it runs, in one line."""

    def version(self) -> str:
        """Library, version and provider: "onnxruntime 1.32.0 CPUExecutionProvider".

        Raises
        ------
        RecipeError
            If the library is not installed; the hint names the extra.
        """

    def describe(self, path: str) -> Model:
        """Read the description of a package; the weights are hashed, not loaded.

        Raises
        ------
        UnrecognisedModelError
            If the package is of a kind that the runtime does not run.
        RecipeError
            If it is damaged or unsafe, or needs something that is not supported.
        """

    def test_array(self, model: Model, name: str) -> Array:
        """Read an array in .npy format from the package; raise `RecipeError` if it is missing or damaged."""

    def load(self, model: Model) -> Session:
        """Load the weights for use by one thread in this process; never called in the parent of a pool.

        Raises
        ------
        WorkerError
            If the weights cannot be loaded, or have changed since `describe` read them.
        """
