"""What a format is: bytes to `Image` and back."""

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from imgpool.core.image import Image, Properties
from imgpool.core.parameters import canonical, describe, validate
from imgpool.core.part import Choose, Part

FilePath = str | os.PathLike[str]
Guard = Callable[[Properties], None]


def no_guard(_properties: Properties) -> None:
    """Let every image pass."""


class Format(ABC):
    """One file format.

    Attributes
    ----------
    name
        As in ``--to NAME``.
    extensions
        Lower case, with the dot; the first is the one written.
    holds
        What it can hold, in words that follow "NAME holds …".
    lossy
        Whether writing changes pixels even where it can hold them (JPEG).
    libraries
        Modules that it imports when it is first used on a common image; workers import them before they start.
    """

    name: ClassVar[str]
    extensions: ClassVar[tuple[str, ...]]
    holds: ClassVar[str]
    lossy: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def can_hold(self, properties: Properties) -> bool:
        """Whether an image of this dtype, shape and axes can be written without changing a pixel's value.

        For a lossy format: without changing its dtype, pages or samples.
        """

    @abstractmethod
    def properties(self, path: FilePath) -> Properties:
        """What the header tells; nothing is decoded.

        Raises
        ------
        ReadError
            If the file is not of this format, or its header is damaged.
        """

    @abstractmethod
    def read(self, path: FilePath, guard: Guard = no_guard) -> Image:
        """Read the whole file.

        Parameters
        ----------
        path
            The file.
        guard
            Called with the header's properties before anything is decoded or allocated; it may raise.

        Raises
        ------
        ReadError
            If the file is not of this format, damaged or truncated, or the guard refuses it.
        """

    def read_part(self, path: FilePath, choose: Choose, guard: Guard = no_guard) -> Image:
        """Read the part of a file that is wanted.

        A format that can decode less than the whole does so, in a method of its own.

        Parameters
        ----------
        path
            The file.
        choose
            Tells from the header's properties which part that is; called after the guard.
        guard
            As in `read`.

        Raises
        ------
        ReadError
            As in `read`.
        """
        part = Part()

        def look(properties: Properties) -> None:
            nonlocal part
            guard(properties)
            part = choose(properties)

        image = self.read(path, look)
        return part.cut(image)

    @abstractmethod
    def write(self, image: Image, path: FilePath) -> tuple[str, ...]:
        """Write the image; a format adds its options as keyword-only parameters, whose types are the schema.

        Returns
        -------
        tuple of str
            What of the image the format could not keep, besides pixels: "pixel_size", "dpi", "icc", "exif",
            "xmp", "iptc", "channel_names", "description", "texts" (a PNG's other ones), "other_pictures".

        Raises
        ------
        WriteError
            If the format cannot hold the pixels.
        """

    def validate(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The writer's options, checked and converted; raises `RecipeError`."""
        return validate(self.write, self.name, options, "formats")

    def canonical(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The writer's options, checked, as plain JSON values."""
        return canonical(self.write, self.name, options, "formats")

    def describe(self) -> list[dict[str, Any]]:
        """The writer's options with their types, ranges, defaults and meanings."""
        return describe(self.write)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.help.partition("\n")[0].rstrip(".")

    @property
    def help(self) -> str:
        """The docstring."""
        return inspect.getdoc(self) or ""
