"""What a trained model is: tensors with named axes, what is done to them, and the runtime that computes.

The words are those of the bioimage.io specification (https://github.com/bioimage-io/spec-bioimage-io); axes go by
OME's letters, and ``B`` for the batch.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np

from imgpool.core.reference import Reference

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

BUILT_IN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "models", "built_in")


def built_in_models() -> dict[str, str]:
    """The models that come with imgpool: the folder of each package, by its name, sorted."""
    if not os.path.isdir(BUILT_IN):
        return {}
    with os.scandir(BUILT_IN) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] not in "._")
    return {name: os.path.join(BUILT_IN, name) for name in names}


@dataclass(frozen=True, slots=True)
class ModelReference(Reference):
    """A model by its path, or by the name it has in the box; written ``./denoise``, a name is always a path."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a name or path; raise ``ValueError`` where nothing is there."""
        models = built_in_models()
        if isinstance(value, str) and value in models:
            return cls(models[value])
        try:
            return super(ModelReference, cls).parse(value)
        except ValueError as error:
            raise ValueError(f"{error} (the box holds {', '.join(models) or 'no model'})") from None

    def __str__(self) -> str:
        folder, name = os.path.split(self.path)
        return name if folder == BUILT_IN else self.path


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths that an axis may have: `least`, and any number of `step` more; a `step` of 0 fixes it."""

    least: int
    step: int = 0

    def fits(self, length: int) -> bool:
        """Whether an axis may be this long."""
        if self.step == 0:
            return length == self.least
        return length >= self.least and (length - self.least) % self.step == 0


@dataclass(frozen=True, slots=True)
class SizeOf:
    """A length that follows another axis: ``length × scale + offset``, of axis `letter` of tensor `tensor`.

    What is left of a pixel does not count.
    """

    tensor: str
    letter: str
    scale: float = 1.0
    offset: float = 0.0

    def length(self, reference: int) -> int:
        """How long the axis is where the other one is `reference` long."""
        return math.floor(reference * self.scale + self.offset + 1e-6)  # 49 × (1 / 49) is less than 1


@dataclass(frozen=True, slots=True)
class ModelAxis:
    """One axis of a tensor.

    Attributes
    ----------
    letter
        B, T, C, Z, Y or X.
    size
        How long it may be.
    halo
        Of an output: entries at each end that lack surroundings, and are to be thrown away.
    names
        Of channels; or empty.
    scale
        µm per pixel that the model expects; None if it does not say.
    """

    letter: str
    size: Size | SizeOf
    halo: int = 0
    names: tuple[str, ...] = ()
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of processing before or after the model, by the specification's name ("zero_mean_unit_variance").

    In `parameters`, axes are letters ("YX"), whatever the version of the specification calls them.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes
    ----------
    name
        As processing refers to it; the graph's own inputs and outputs have the same order.
    axes
        In the order of the array.
    dtype
        Of the array that goes into, or comes out of, the model ("float32").
    operations
        Done before the model (input) or after it (output), in order.
    test
        Name of the published test array within the package; empty if there is none.
    """

    name: str
    axes: tuple[ModelAxis, ...]
    dtype: str = "float32"
    operations: tuple[Operation, ...] = ()
    test: str = ""

    @property
    def letters(self) -> str:
        """The axes' letters: "BCYX"."""
        return "".join(axis.letter for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its package describes it; nothing of it is loaded.

    Attributes
    ----------
    path
        The package: a folder, a zip or an ONNX file.
    name, version, description, license, authors
        As the package says; the name of a bare ONNX file is that of the file.
    format
        What describes it: "bioimage.io 0.5.4", or "ONNX".
    runtime
        The plug-in of ``imgpool.models`` that computes it: "onnx".
    weights
        Name of the weights file within the package.
    sha256
        Of the weights, in hexadecimal, as found (and, where the package says one, equal to that).
    digest
        sha256 over the weights and all of the description that changes a result.
    inputs, outputs
        The tensors, in the graph's order.
    external
        Files that hold further weights, by name, each with its sha256.
    tolerance
        Largest difference from the published test output that its author allows; None without a word on it.
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
        """Compute every output, by name, from every input; neither is processed."""


class Runtime(Protocol):
    """What loads models and computes them: a plug-in of ``imgpool.models``."""

    @property
    def name(self) -> str:
        """As in `Model.runtime`."""

    @property
    def summary(self) -> str:
        """One line: what it runs."""

    def version(self) -> str:
        """Library, version and provider: "onnxruntime 1.32.0 CPUExecutionProvider".

        Raises
        ------
        RecipeError
            If the library is not installed; the hint names the extra.
        """

    def describe(self, path: str) -> Model:
        """What a package says; its weights are hashed, not loaded.

        Raises
        ------
        RecipeError
            If it is damaged or forged, or asks for what is not supported: that is named.
        """

    def test_array(self, model: Model, name: str) -> Array:
        """An array of the package, in .npy format; raises `RecipeError` where it is missing, damaged or a pickle."""

    def load(self, model: Model) -> Session:
        """Load the weights: one thread, in this process; never in the parent of a pool.

        Raises
        ------
        WorkerError
            If it cannot be loaded, or its bytes are no longer those that were described.
        """
