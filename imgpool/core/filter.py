"""What a filter declares of itself.

A filter is a function ``name(image, *, parameter: type = default) -> Image``, or a class whose constructor
takes the parameters and loads what is heavy, and whose instances are called with an image. `image_filter`
turns either into a `Filter`.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import canonical, describe, validate
from imgpool.core.part import Part
from imgpool.core.reference import Reference

Parameters = Mapping[str, Any]
Tiles = Literal["exact", "near", "no"]
Halo = Callable[[Parameters, PixelSize | None], int]
Outcome = Callable[[Properties, Parameters], Properties]
Check = Callable[[Parameters], None]
Cut = Callable[[Properties, Parameters], Part]
Shrink = Callable[[Properties, Parameters], float]
Provenance = Callable[[Parameters], Mapping[str, Any]]
LoadedFilter = Callable[[Image], Image]


def _no_halo(_parameters: Parameters, _pixel_size: PixelSize | None) -> int:
    return 0


def _unchanged(properties: Properties, _parameters: Parameters) -> Properties:
    return properties


def _no_check(_parameters: Parameters) -> None:
    pass


def digests(parameters: Parameters) -> dict[str, Any]:
    """The sha256 of every file among the parameters, by the parameter's name."""
    return {name: value.digest() for name, value in parameters.items() if isinstance(value, Reference)}


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with what it declares; called directly, it checks its parameters and filters an image.

    Attributes
    ----------
    name
        As it stands in a recipe.
    function
        The function, or the class.
    tiles
        Whether a tile computed alone, with `halo` pixels around it, equals the same tile of the whole:
        "exact", "near", or "no".
    halo
        Pixels of surroundings that a result depends on, given the parameters and the pixel size.
    outcome
        Shape, dtype and axes of the result, given those of the input; for a dtype that depends on the
        pixels (labels), the smallest one possible.
    check
        Raises `RecipeError` where parameters that are right one by one do not fit together; called before
        anything starts.
    libraries
        Modules that it imports when it is first used on a common image; workers import them before they start.
    cut
        For a filter that only takes a part out of an image: which part, so that a reader can do it instead.
    shrink
        For a filter that makes an image smaller: how many times smaller along each side it may be read.
    turns
        Whether it only turns or mirrors the image: what comes after may be asked for `shrink` in its stead.
    heavy
        Whether loading it takes seconds or much memory: it is tried in a process of its own before a run starts.
        What is loaded may have a method ``rehearse()``, which takes the memory that its work takes beside an image's
        own pixels: it counts for every worker.
    provenance
        What of the world outside the recipe decides the result, as JSON values by the name of the parameter that
        refers to it: a file's bytes, a model and what computes it. It stands in the journal, and in the fingerprint
        in the parameter's stead.
    """

    name: str
    function: Callable[..., Any]
    tiles: Tiles
    halo: Halo
    outcome: Outcome
    check: Check = _no_check
    libraries: tuple[str, ...] = ()
    cut: Cut | None = None
    shrink: Shrink | None = None
    turns: bool = False
    heavy: bool = False
    provenance: Provenance = digests

    def __call__(self, image: Image, /, **parameters: object) -> Image:
        """Filter one image.

        Raises
        ------
        RecipeError
            If a parameter is unknown or does not fit.
        FilterError
            If the filter cannot work on this image.
        """
        return self.load(parameters)(image)

    def load(self, parameters: Parameters) -> LoadedFilter:
        """The filter with these parameters, its heavy parts loaded, ready to be called with images."""
        values = self.validate(parameters)
        if inspect.isclass(self.function):
            return cast("LoadedFilter", self.function(**values))
        return lambda image: cast("Image", self.function(image, **values))

    def validate(self, parameters: Parameters) -> dict[str, Any]:
        """Every parameter, checked and converted; see `imgpool.core.parameters.validate`."""
        values = validate(self.function, self.name, parameters)
        self.check(values)
        return values

    def canonical(self, parameters: Parameters) -> dict[str, Any]:
        """Every parameter, checked, as plain JSON values."""
        self.validate(parameters)
        return canonical(self.function, self.name, parameters)

    def describe(self) -> list[dict[str, Any]]:
        """The parameters with their types, ranges, defaults and meanings."""
        return describe(self.function)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.help.partition("\n")[0].rstrip(".")

    @property
    def help(self) -> str:
        """The docstring."""
        return inspect.getdoc(self.function) or ""


def image_filter(  # noqa: PLR0913 - one keyword for each thing that a filter can declare
    *,
    tiles: Tiles,
    halo: Halo = _no_halo,
    outcome: Outcome = _unchanged,
    check: Check = _no_check,
    libraries: tuple[str, ...] = (),
    cut: Cut | None = None,
    shrink: Shrink | None = None,
    turns: bool = False,
    heavy: bool = False,
    provenance: Provenance = digests,
) -> Callable[[Callable[..., Any]], Filter]:
    """Declare a function or class to be a filter.

    Parameters
    ----------
    tiles, halo, outcome, check, libraries, cut, shrink, turns, heavy, provenance
        See `Filter`. `halo`, `outcome` and `check` get every parameter, converted.
    """

    def declare(function: Callable[..., Any]) -> Filter:
        return Filter(
            function.__name__,
            function,
            tiles,
            halo,
            outcome,
            check,
            libraries,
            cut,
            shrink,
            turns,
            heavy,
            provenance,
        )

    return declare
