"""NPY, NumPy's file format: one array, no metadata."""

import os
import warnings
from functools import cached_property
from typing import BinaryIO

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath, Format
from imgpool.core.image import Image, Properties, guess_axes
from imgpool.core.part import Part
from imgpool.core.refusal import refuse
from imgpool.formats._errors import COPY_AGAIN, truncated_error
from imgpool.formats._file_reader import FileReader
from imgpool.formats._lost_metadata import not_stored

__all__ = ["NPY"]

DTYPE_KINDS = "buif"
"""NumPy's letters for the supported kinds of dtype: bool, unsigned, signed, float."""

MAX_ITEM_BYTES = 8
"""Largest item of a supported dtype; larger floats differ between machines."""


class Npy(Format):
    """NPY: an array of any integer or float type, with up to five dimensions.

    The file does not store the axes. They are guessed from the shape, as by `imgpool.core.image.guess_axes`; an image
    whose axes would be guessed differently is refused. Pickled objects are refused as well.
    """

    name = "npy"
    extensions = (".npy",)
    holds = "integers and floats, with the axes YX, ZYX, TZYX or TCZYX, and RGB or RGBA"

    def can_hold(self, properties: Properties) -> bool:
        """See `Format.can_hold`."""
        dtype = properties.dtype
        try:
            guessed = guess_axes(properties.shape)
        except ValueError:
            return False
        return _is_supported(dtype) and guessed == properties.axes

    def open(self, path: FilePath) -> "NpyReader":
        """See `Format.open`."""
        return NpyReader(path)

    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write an array."""
        if not self.can_hold(image.properties):
            raise refuse(self, image.properties)
        lost = not_stored(image)
        with open(path, "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(image.pixels), allow_pickle=False)
        return lost


class NpyReader(FileReader):
    """Reader of NPY files."""

    kind = "NPY"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        self._check_signature()
        shape, dtype = _parse_header(self._file)
        if not _is_supported(dtype):
            raise ReadError(f"its array has the type {dtype}, and images are integers or floats of up to 64 bits",
                            "save it as one of numpy's integer or float types")  # fmt: skip
        properties = Properties(shape, dtype.newbyteorder("="), _guess_axes(shape))
        available, needed = os.fstat(self._file.fileno()).st_size - self._file.tell(), properties.nbytes
        if available < needed:
            raise truncated_error(available / needed, "array")
        if available > needed:
            raise ReadError("the file has more data than its array", "save each array in a file of its own")
        return properties

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        axes = self.properties.axes
        self._file.seek(0)
        pixels: Pixels = np.lib.format.read_array(self._file, allow_pickle=False)
        return (part or Part()).crop(Image(np.ascontiguousarray(pixels), axes))


def _is_supported(dtype: "np.dtype[np.generic]") -> bool:
    return dtype.kind in DTYPE_KINDS and dtype.itemsize <= MAX_ITEM_BYTES


def _parse_header(file: BinaryIO) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    """Return shape and dtype, and leave the file at the start of the numbers."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            version = np.lib.format.read_magic(file)
            shape, _, dtype = readers[version](file)
    except Exception as error:  # noqa: BLE001 - NumPy parses the header as Python code, which can raise many types
        raise ReadError(f"the NPY is damaged: its header cannot be parsed ({type(error).__name__})",
                        COPY_AGAIN) from None  # fmt: skip
    if any(length < 0 for length in shape):
        raise ReadError("the NPY is damaged: a length is negative", COPY_AGAIN)
    return shape, dtype


def _guess_axes(shape: tuple[int, ...]) -> str:
    if len(shape) < 2 or 0 in shape:  # noqa: PLR2004 - Y and X
        raise ReadError(f"an array of shape {shape} is not an image",
                        "save one with at least two dimensions, none of length 0")  # fmt: skip
    try:
        return guess_axes(shape)
    except ValueError:
        raise ReadError(f"an array of shape {shape} has too many dimensions", "save at most T, C, Z, Y and X") from None


NPY = Npy()
