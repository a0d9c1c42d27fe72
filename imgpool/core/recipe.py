"""Recipes: the filters to apply, in order, and how to write the result.

A recipe is data. It is validated completely against the signatures of its filters and its output format before
anything starts. Its fingerprint changes with everything that can change a result.
"""

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Self, TypeVar, overload

from imgpool.core.axes import Pixels
from imgpool.core.catalogue import FILTERS, FORMATS, split_extension
from imgpool.core.errors import RecipeError
from imgpool.core.exif import without_thumbnail
from imgpool.core.filter import LoadedFilter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import suggest_name
from imgpool.core.part import Part
from imgpool.core.quantity import Length
from imgpool.core.recipe_file import read_recipe_text
from imgpool.core.reference import relative_to
from imgpool.core.shorten import quote
from imgpool.core.spec import parse_spec
from imgpool.core.step import Step

RESULTS_VERSION = 3
"""Increased by each release of imgpool that changes the pixels or bytes produced by an unchanged recipe."""

Described = TypeVar("Described", Image, Properties)

_KEYS = {"name", "description", "steps", "output", "pixel_size"}


@dataclass(frozen=True, slots=True)
class Output:
    """The output format.

    Attributes
    ----------
    format
        Name of the format; None keeps the format of each input.
    options
        Every option of the format's writer, validated, as plain JSON values.
    """

    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(cls, name: str, options: Mapping[str, Any]) -> Self:
        """Create an output; raises `RecipeError` if there is no such format or an option is not valid.

        Parameters
        ----------
        name
            Name or extension of the format: "jpeg" or "jpg".
        options
            Options of its writer.
        """
        format_ = FORMATS[format_name(name)]
        return cls(format_.name, format_.canonical(options))

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read a recipe's ``output``: ``jpeg``, ``jpeg:quality=90`` or ``{format: jpeg, quality: 90}``."""
        if data is None:
            return cls()
        if isinstance(data, str):
            return cls.create(*parse_spec(data, lambda name: FORMATS[format_name(name)]))
        if not isinstance(data, dict) or "format" not in data:
            raise RecipeError(f"the output {quote(data)} does not name a format", "write `output: {format: tiff}`")
        options = {key: value for key, value in data.items() if key != "format"}
        return cls.create(str(data["format"]), options)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The filters to apply to every image, and how to write the result.

    Attributes
    ----------
    name
        Name shown to people; it does not affect the fingerprint.
    steps
        The filters, in order.
    output
        How to write the results.
    pixel_size
        Pixel size for images that have none.
    description
        One line for the catalogue.
    """

    name: str
    steps: tuple[Step, ...] = ()
    output: Output = Output()
    pixel_size: PixelSize | None = None
    description: str = ""

    @classmethod
    def load(cls, source: "str | os.PathLike[str] | Recipe") -> "Recipe":
        """Load a built-in recipe by name, or a YAML file by path; a `Recipe` is returned as it is.

        Raises
        ------
        RecipeError
            If there is no such recipe, or it is not valid.
        """
        if isinstance(source, Recipe):
            return source
        text = os.fspath(source)
        if text in built_in_recipes():
            file = resources.files("imgpool.recipes") / f"{text}.yaml"
            return _read(text, file.read_text("utf-8"), str(file))
        path = Path(source)
        if path.suffix.lower() in {".yaml", ".yml"} or path.is_file():
            return _read(text, read_recipe_text(path), text)
        raise RecipeError(
            f"no recipe is called {text!r}",
            f"{suggest_name(text, built_in_recipes())} (or give the path of a .yaml file)",
        )

    @classmethod
    def from_specs(cls, specs: Iterable[str]) -> "Recipe":
        """Create a recipe from filters in the command line's notation: ``["gaussian:sigma=2", "label"]``."""
        steps = tuple(map(Step.from_spec, specs))
        return cls("+".join(step.filter for step in steps), steps)

    @classmethod
    def parse(cls, data: object, name: str = "recipe") -> "Recipe":
        """Create a recipe from the contents of its YAML file.

        Parameters
        ----------
        data
            A mapping with the keys ``name``, ``description``, ``steps``, ``output`` and ``pixel_size``.
        name
            Name to use if the mapping has none.

        Raises
        ------
        RecipeError
            If a key, a filter, a format or a parameter is unknown or not valid.
        """
        if not isinstance(data, dict):
            raise RecipeError("a recipe must be a mapping with a list of steps", "start with `steps:`")
        for key in data:
            if key not in _KEYS:
                raise RecipeError(f"a recipe has no key {quote(key)}", suggest_name(str(key), _KEYS))
        steps = data.get("steps") or []
        if not isinstance(steps, list):
            raise RecipeError("steps must be a list", "write each step on its own line, after a dash")
        return cls(
            name=str(data.get("name") or name),
            steps=tuple(Step.parse(step) for step in steps),
            output=Output.parse(data.get("output")),
            pixel_size=parse_pixel_size(data["pixel_size"], "pixel_size") if data.get("pixel_size") else None,
            description=str(data.get("description") or "").strip(),
        )

    def with_output(self, output: Output) -> "Recipe":
        """Return the same recipe with another output format."""
        return replace(self, output=output)

    def with_pixel_size(self, pixel_size: PixelSize) -> "Recipe":
        """Return the same recipe with a pixel size for images that have none."""
        return replace(self, pixel_size=pixel_size)

    def fingerprint(self) -> str:
        """Return a hash of everything that can change a result.

        It covers the filters, their parameters and files, the output, the pixel size and `RESULTS_VERSION`.
        """
        parts = [
            RESULTS_VERSION,
            [[step.filter, {**step.parameters, **step.provenance}] for step in self.steps],
            [self.output.format, dict(self.output.options)],
            self.pixel_size,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def load_filters(self) -> tuple[LoadedFilter, ...]:
        """Load every filter, including its heavy parts, in order."""
        return tuple(step.load() for step in self.steps)

    def fill_pixel_size(self, described: Described) -> Described:
        """Give an image, or its header, the recipe's pixel size if it has none."""
        if described.pixel_size or not self.pixel_size:
            return described
        return replace(described, pixel_size=self.pixel_size)

    def required_part(self, properties: Properties) -> tuple[Part, int]:
        """Find the part of an image that the recipe needs.

        Returns
        -------
        part : Part
            The part to read from the file.
        count : int
            Number of leading steps that reading just this part already performs.
        """
        properties = self.fill_pixel_size(properties)
        for number, step in enumerate(self.steps):
            filter_ = FILTERS[step.filter]
            if filter_.crop_region and number == 0:
                return filter_.crop_region(properties, step.values), 1
            if filter_.shrink:
                return Part(shrink=filter_.shrink(properties, step.values)), 0
            if not filter_.reorients:
                break
        return Part(), 0

    def apply_filters(
        self, image: Image, filters: Iterable[LoadedFilter], *, changed_by_reading: bool = False
    ) -> Image:
        """Apply loaded filters to an image; if they change it, the embedded EXIF thumbnail is dropped.

        Parameters
        ----------
        image
            The image as read.
        filters
            The filters that remain to be applied, in order.
        changed_by_reading
            Whether reading has already performed some of the recipe's steps.
        """
        source = filtered = self.fill_pixel_size(image)
        for filter_ in filters:
            filtered = filter_(filtered)
        exif = filtered.metadata.exif
        if (filtered is source and not changed_by_reading) or exif is None:
            return filtered
        return replace(filtered, metadata=replace(filtered.metadata, exif=without_thumbnail(exif)))

    def infer_output(self, properties: Properties) -> Properties:
        """Infer the header of the result from the header of its source; raises `FilterError`."""
        properties = self.fill_pixel_size(properties)
        for step in self.steps:
            filter_ = FILTERS[step.filter]
            properties = filter_.infer_output(properties, step.values)
        return properties

    @overload
    def apply(self, image: Image) -> Image: ...

    @overload
    def apply(self, image: Pixels, axes: str = "") -> Pixels: ...

    def apply(self, image: Image | Pixels, axes: str = "") -> Image | Pixels:
        """Apply the recipe to one image, in this process.

        Parameters
        ----------
        image
            An `Image`, or an array.
        axes
            Axes of an array, such as "ZYX"; by default guessed as `Image.from_array` does.

        Returns
        -------
        Image or ndarray
            The same pixels as ``imgpool process`` writes; an array if `image` is an array.

        Raises
        ------
        FilterError
            If a filter cannot work on this image.
        """
        whole = image if isinstance(image, Image) else Image.from_array(image, axes)
        filtered = self.apply_filters(whole, self.load_filters())
        return filtered if isinstance(image, Image) else filtered.pixels


def parse_pixel_size(text: object, name: str = str(Hint("pixel_size"))) -> PixelSize:
    """Read the size of a square pixel.

    Parameters
    ----------
    text
        A length with a unit, such as "0.325um".
    name
        How a message names the value.

    Raises
    ------
    RecipeError
        If it is not a positive length with a physical unit.
    """
    try:
        length = Length.parse(text)
    except ValueError as error:
        raise RecipeError(f"{name} {error}", "give the size of one pixel, for example 0.325um") from None
    if length.value <= 0:
        raise RecipeError(f"{name} must be greater than 0", "give the size of one pixel, for example 0.325um")
    if length.unit == "px":
        problem = f"must be a physical length, not {text}" if str(text).strip().endswith("px") else "needs a unit"
        raise RecipeError(f"{name} {problem}", "for example 0.325um")
    return PixelSize(length.value, length.value)


def format_name(name: str) -> str:
    """Return the name of a format given its name or an extension: "jpeg" for "jpg"."""
    lower = name.lower().removeprefix(".")
    _, by_extension = split_extension(f"_.{lower}")
    return by_extension.name if by_extension else lower


@functools.cache
def built_in_recipes() -> tuple[str, ...]:
    """Return the names of the built-in recipes, sorted."""
    files = resources.files("imgpool.recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def _read(name: str, text: str, path: str) -> Recipe:
    from imgpool.core.safe_yaml import load_yaml

    try:
        with relative_to(os.path.dirname(path)):
            return Recipe.parse(load_yaml(text), Path(name).stem)
    except RecipeError as error:
        raise RecipeError(f"the recipe {name!r}: {error.message}", error.hint or "correct the file") from error
