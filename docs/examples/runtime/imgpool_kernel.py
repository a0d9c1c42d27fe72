"""A model runtime for imgpool: convolution kernels in text files.

A ``.kernel`` file begins with a line "kernel" and holds one row of numbers per line; rows and columns are odd.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from imgpool.plugins import (
    Array,
    FilterError,
    Model,
    ModelAxis,
    RecipeError,
    Size,
    SizeReference,
    Tensor,
    UnrecognisedModelError,
    WorkerError,
)

HEADER = b"kernel\n"
MAX_BYTES = 1_000_000


class KernelRuntime:
    """Runs models that are a single convolution."""

    name = "kernel"
    summary = "convolution kernels in text files, by SciPy"

    def version(self) -> str:
        """Return the library and its release, which journals record because results depend on them."""
        return f"scipy {version('scipy')}"

    def describe(self, path: str) -> Model:
        """Describe a model without loading it; called in the parent process."""
        content = _read(path)
        rows, columns = _parse(content, path).shape
        digest = hashlib.sha256(content).hexdigest()
        y, x = (ModelAxis(letter, Size(1, 1)) for letter in "YX")
        out_y = ModelAxis("Y", SizeReference("image", "Y"), halo=rows // 2)
        out_x = ModelAxis("X", SizeReference("image", "X"), halo=columns // 2)
        return Model(
            path=os.path.abspath(path),
            name=os.path.splitext(os.path.basename(path))[0],
            format="kernel",
            runtime=self.name,
            weights=os.path.basename(path),
            sha256=digest,
            digest=digest,
            inputs=(Tensor("image", (y, x)),),
            outputs=(Tensor("filtered", (out_y, out_x)),),
        )

    def test_array(self, model: Model, name: str) -> Array:
        """Raise `RecipeError`: a kernel has no published results."""
        raise RecipeError(f"the model {model.path} has no test array {name!r}")

    def load(self, model: Model) -> "KernelSession":
        """Load the kernel, once in each worker."""
        try:
            content = _read(model.path)
        except RecipeError as error:
            raise WorkerError(error.message, error.hint) from None
        if hashlib.sha256(content).hexdigest() != model.sha256:
            raise WorkerError(f"the model {model.path} has changed", "start the run again")
        return KernelSession(_parse(content, model.path))


@dataclass(frozen=True, slots=True)
class KernelSession:
    """A loaded kernel."""

    kernel: Array

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Convolve the image; values beyond the border are 0."""
        from scipy.ndimage import convolve

        image = inputs.get("image")
        if image is None or image.dtype != np.float32:
            raise FilterError("a kernel takes one float32 input called 'image'")
        return {"filtered": convolve(image, self.kernel, mode="constant")}


KERNEL = KernelRuntime()


def _read(path: str) -> bytes:
    """Read a file, and refuse other models quickly: every runtime is asked for every model."""
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES)
    except OSError as error:
        raise UnrecognisedModelError(f"the model {path} cannot be read: {error.strerror}") from None
    if not content.startswith(HEADER):
        raise UnrecognisedModelError(f"the model {path} is not a kernel: it does not begin with the line 'kernel'")
    return content


def _parse(content: bytes, path: str) -> Array:
    try:
        kernel = np.loadtxt(io.BytesIO(content.removeprefix(HEADER)), np.float32, ndmin=2)
    except ValueError as error:
        raise RecipeError(f"the model {path} is damaged: {error}", "copy it again") from None
    if not all(length % 2 for length in kernel.shape):
        shape = f"{kernel.shape[0]}×{kernel.shape[1]}"
        raise RecipeError(f"the model {path} has {shape} numbers", "give it an odd number of rows and columns")
    return kernel
