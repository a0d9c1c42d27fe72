"""Recipes: which filters, in which order, and how the result is written.

A recipe is data. It is checked whole, against the signatures of the filters and of the output format,
before anything starts; its fingerprint changes with all that can change a result.
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
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import near_miss
from imgpool.core.part import Part
from imgpool.core.quantity import Length
from imgpool.core.reference import relative_to
from imgpool.core.spec import parse_spec

RESULTS_VERSION = 3
"""Raised whenever a release of imgpool gives other pixels or other bytes for the same recipe."""

Described = TypeVar("Described", Image, Properties)

KEYS = {"name", "description", "steps", "output", "pixel_size"}


@dataclass(frozen=True, slots=True)
class Step:
    """One filter with all its parameters, checked, as plain JSON values."""

    filter: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _values: Mapping[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters as the filter takes them; converted once, for they are asked for with every image."""
        if self._values is None:
            object.__setattr__(self, "_values", FILTERS[self.filter].validate(self.parameters))
        assert self._values is not None
        return self._values

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What its files and models are, by parameter; raises `RecipeError` where one cannot be read."""
        try:
            return FILTERS[self.filter].provenance(self.values)
        except OSError as error:
            raise RecipeError(f"{self.filter}: {error.filename} cannot be read: {error.strerror}") from error

    @property
    def heavy(self) -> bool:
        """Whether loading it takes seconds or much memory."""
        return FILTERS[self.filter].heavy

    def __reduce__(self) -> tuple[type["Step"], tuple[str, Mapping[str, Any]]]:
        return type(self), (self.filter, self.parameters)  # what they are converted to need not travel

    @classmethod
    def checked(cls, name: str, parameters: Mapping[str, Any]) -> Self:
        """A step whose filter exists and takes these parameters; raises `RecipeError`."""
        return cls(name, FILTERS[name].canonical(parameters))

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read one entry of a recipe's ``steps``: ``label``, ``gaussian:sigma=2`` or ``gaussian: {sigma: 2}``."""
        if isinstance(data, str):
            return cls.checked(*parse_spec(data))
        if not isinstance(data, dict) or len(data) != 1:
            raise RecipeError(f"{data!r} is no step", "write a step as `- gaussian: {sigma: 2}`")
        ((name, parameters),) = data.items()
        if not isinstance(parameters, dict | None):
            raise RecipeError(
                f"{name}: {parameters!r} are no parameters", f"write them as `- {name}: {{parameter: value}}`"
            )
        return cls.checked(str(name), parameters or {})

    def load(self) -> LoadedFilter:
        """The filter, its heavy parts loaded."""
        return FILTERS[self.filter].load(self.parameters)

    def __str__(self) -> str:
        parameters = ",".join(f"{name}={value}" for name, value in self.parameters.items() if value is not None)
        return f"{self.filter}:{parameters}" if parameters else self.filter


@dataclass(frozen=True, slots=True)
class Output:
    """The format of the results, None for each input's own, and its writer's options."""

    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def checked(cls, name: str, options: Mapping[str, Any]) -> Self:
        """An output whose format exists, by name or extension, and takes these options; raises `RecipeError`."""
        format_ = FORMATS[format_name(name)]
        return cls(format_.name, format_.canonical(options))

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read a recipe's ``output``: ``jpeg``, ``jpeg:quality=90`` or ``{format: jpeg, quality: 90}``."""
        if data is None:
            return cls()
        if isinstance(data, str):
            return cls.checked(*parse_spec(data))
        if not isinstance(data, dict) or "format" not in data:
            raise RecipeError(f"output: {data!r} names no format", "write `output: {format: tiff}`")
        options = {key: value for key, value in data.items() if key != "format"}
        return cls.checked(str(data["format"]), options)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to every image.

    Attributes
    ----------
    name
        What people call it.
    steps
        The filters, in order.
    output
        How results are written.
    pixel_size
        For images whose file does not tell their pixel size.
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
        """A built-in recipe by name, or a YAML file by path.

        Raises
        ------
        RecipeError
            If there is none of that name, or it is not valid.
        """
        if isinstance(source, Recipe):
            return source
        text = os.fspath(source)
        if text in built_in_recipes():
            file = resources.files("imgpool.recipes") / f"{text}.yaml"
            return _read(text, file.read_text("utf-8"), str(file))
        path = Path(source)
        if path.suffix.lower() in {".yaml", ".yml"} or path.is_file():
            try:
                return _read(text, path.read_text("utf-8"), text)
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise RecipeError(f"the recipe {text!r} cannot be read: {reason}") from error
        raise RecipeError(
            f"no recipe is called {text!r}", f"{near_miss(text, built_in_recipes())} (or give the path of a .yaml file)"
        )

    @classmethod
    def from_specs(cls, specs: Iterable[str]) -> "Recipe":
        """A recipe of filters written as on the command line: ``["gaussian:sigma=2", "label"]``."""
        steps = tuple(Step.checked(*parse_spec(spec)) for spec in specs)
        return cls("+".join(step.filter for step in steps), steps)

    @classmethod
    def parse(cls, data: object, name: str = "recipe") -> "Recipe":
        """A recipe from what its YAML file holds.

        Parameters
        ----------
        data
            A mapping with the keys ``name``, ``description``, ``steps``, ``output`` and ``pixel_size``.
        name
            What to call it where it does not say so itself.

        Raises
        ------
        RecipeError
            If anything in it is unknown or does not fit.
        """
        if not isinstance(data, dict):
            raise RecipeError("a recipe is a mapping with a list of steps", "begin with `steps:`")
        for key in data:
            if key not in KEYS:
                raise RecipeError(f"a recipe has no key {key!r}", near_miss(str(key), KEYS))
        steps = data.get("steps") or []
        if not isinstance(steps, list):
            raise RecipeError("`steps` is a list", "write each step on a line of its own, after a dash")
        return cls(
            name=str(data.get("name") or name),
            steps=tuple(Step.parse(step) for step in steps),
            output=Output.parse(data.get("output")),
            pixel_size=parse_pixel_size(data["pixel_size"]) if data.get("pixel_size") else None,
            description=str(data.get("description") or "").strip(),
        )

    def with_output(self, output: Output) -> "Recipe":
        """The same recipe, written in another format."""
        return replace(self, output=output)

    def with_pixel_size(self, pixel_size: PixelSize) -> "Recipe":
        """The same recipe, with a pixel size for images that do not tell theirs."""
        return replace(self, pixel_size=pixel_size)

    def fingerprint(self) -> str:
        """A hash of all that can change a result: filters, parameters, files, output, pixel size, imgpool's results."""
        parts = [
            RESULTS_VERSION,
            [[step.filter, {**step.parameters, **step.provenance}] for step in self.steps],
            [self.output.format, dict(self.output.options)],
            self.pixel_size,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def load_filters(self) -> tuple[LoadedFilter, ...]:
        """Every filter, its heavy parts loaded, in order."""
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
            What to read from the file.
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
        """Filter one image, in this process.

        Parameters
        ----------
        image
            An `Image`, or an array.
        axes
            Of an array; without it they are guessed as `Image.from_array` does.

        Returns
        -------
        Image or ndarray
            The pixels that ``imgpool process`` writes; the same kind as came in.

        Raises
        ------
        FilterError
            If a filter cannot work on this image.
        """
        whole = image if isinstance(image, Image) else Image.from_array(image, axes)
        filtered = self.apply_filters(whole, self.load_filters())
        return filtered if isinstance(image, Image) else filtered.pixels


def parse_pixel_size(text: object) -> PixelSize:
    """The size of a square pixel, from "0.325um"; raises `RecipeError`."""
    try:
        length = Length.parse(text)
    except ValueError as error:
        raise RecipeError(f"pixel size: {error}", "for example 0.325um") from None
    if length.unit == "px" or length.value <= 0:
        raise RecipeError(f"a pixel size of {text} says nothing", "give a length with a unit, for example 0.325um")
    return PixelSize(length.value, length.value)


def format_name(name: str) -> str:
    """The name of the format that is meant by a name or an extension: "jpeg" for "jpg"."""
    wanted = name.lower().removeprefix(".")
    _, by_extension = split_extension(f"_.{wanted}")
    return by_extension.name if by_extension else wanted


@functools.cache
def built_in_recipes() -> tuple[str, ...]:
    """The names of the recipes in the box."""
    files = resources.files("imgpool.recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def _read(name: str, text: str, path: str) -> Recipe:
    from imgpool.core.safe_yaml import load_yaml

    try:
        with relative_to(os.path.dirname(path)):
            return Recipe.parse(load_yaml(text), Path(name).stem)
    except RecipeError as error:
        raise RecipeError(f"the recipe {name!r}: {error.message}", error.hint) from error
