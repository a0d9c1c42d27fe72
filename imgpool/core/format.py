"""The interface of file formats: open a file, read its properties, then its pixels; write an image."""

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from imgpool.core.image import Image, Properties
from imgpool.core.parameters import canonical, describe, validate
from imgpool.core.part import Part

FilePath = str | os.PathLike[str]


class Reader(ABC):
    """An open image file.

    Use it as a context manager: ask for the properties, check them, then read the pixels::

        with format.open(path) as reader:
            check(reader.properties)
            image = reader.read(part)

    Tiles, pyramid levels and scenes could be read through the same two members, as further kinds of `Part`.
    """

    @property
    @abstractmethod
    def properties(self) -> Properties:
        """Shape, dtype, axes and pixel size, from the header; no pixel is decoded.

        Raises
        ------
        ReadError
            If the file is not of this format, or its header is damaged.
        """

    @abstractmethod
    def read(self, part: Part | None = None) -> Image:
        """Decode an image, or a part of it.

        A reader that cannot decode less than the whole decodes the whole and crops it (`Part.crop`).

        Parameters
        ----------
        part
            Which part; None for the whole image.

        Raises
        ------
        ReadError
            If the file is not of this format, damaged or truncated.
        """

    def close(self) -> None:  # noqa: B027 - a reader that holds nothing open has nothing to close
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Format(ABC):
    """One file format.

    Attributes
    ----------
    name
        Name of the format in recipes and on the command line, in lower case.
    extensions
        File extensions in lower case, with the dot; the first is used for output files.
    holds
        What the format can store, as the end of a sentence "NAME holds …".
    lossy
        Whether writing can change pixel values although the format can hold the image, as JPEG does.
    libraries
        Modules that reading or writing a common image imports; workers import them before they start.
    """

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    holds: ClassVar[str]
    lossy: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def can_hold(self, properties: Properties) -> bool:
        """Whether an image of this dtype, shape and axes can be written without changing any pixel value.

        For a lossy format: without changing dtype, pages or samples.
        """

    @abstractmethod
    def open(self, path: FilePath) -> Reader:
        """Open a file for reading; the caller closes the reader, best with a ``with`` statement.

        Raises
        ------
        OSError
            If the file cannot be opened.
        """

    def properties(self, path: FilePath) -> Properties:
        """Read only the header of a file; see `Reader.properties`."""
        with self.open(path) as reader:
            return reader.properties

    def read(self, path: FilePath) -> Image:
        """Read a whole file; see `Reader.read`."""
        with self.open(path) as reader:
            return reader.read()

    @abstractmethod
    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write an image.

        Formats add their options as keyword-only parameters; the type hints are the schema of the options.

        Returns
        -------
        tuple of str
            Names of the metadata that were not stored: "pixel_size", "dpi", "icc", "exif", "xmp", "iptc",
            "channel_names", "description", "texts" (of a PNG, except its description) or "other_pictures".

        Raises
        ------
        WriteError
            If the format cannot hold the image.
        """

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Validate and convert the options of `write`; raise `RecipeError` if one is not valid."""
        return validate(self.write, self.name, options, "formats")

    def canonical(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the options of `write`, and return them as plain JSON values."""
        return canonical(self.write, self.name, options, "formats")

    def describe(self) -> list[dict[str, Any]]:
        """Return the options of `write` with their types, ranges, defaults and meanings."""
        return describe(self.write)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return self.help.partition("\n")[0].rstrip(".")

    @property
    def help(self) -> str:
        """Docstring of the format."""
        return inspect.getdoc(self) or ""
