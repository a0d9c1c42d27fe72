"""The interface of a filter: what it declares, and how it is loaded and called.

A filter is a function ``name(image, *, parameter: type = default) -> Image``, or a class whose constructor
takes the parameters and loads what is expensive, and whose instances are called with an image. `image_filter`
turns either into a `Filter`.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from imgpool.core.image import Image, PixelSize, Properties
from imgpool.core.parameters import canonical, describe, validate
from imgpool.core.part import Part
from imgpool.core.reference import Reference

Parameters = Mapping[str, Any]
Tiles = Literal["exact", "near", "no"]
Halo = Callable[[Parameters, PixelSize | None], int]
OutputInference = Callable[[Properties, Parameters], Properties]
Check = Callable[[Parameters], None]
WorkingMemory = Callable[[Properties, Parameters], int]
CropRegion = Callable[[Properties, Parameters], Part]
ShrinkFactor = Callable[[Properties, Parameters], float]
Provenance = Callable[[Parameters], Mapping[str, Any]]
Examples = Sequence[Parameters] | Callable[[Path, tuple[int, int]], Sequence[Parameters]]
LoadedFilter = Callable[[Image], Image]


def _no_halo(_parameters: Parameters, _pixel_size: PixelSize | None) -> int:
    return 0


def _unchanged(properties: Properties, _parameters: Parameters) -> Properties:
    return properties


def _no_memory(_properties: Properties, _parameters: Parameters) -> int:
    return 0


def _no_check(_parameters: Parameters) -> None:
    pass


def digests(parameters: Parameters) -> dict[str, Any]:
    """Return the SHA-256 of every file among the parameters, by parameter name."""
    return {name: value.digest() for name, value in parameters.items() if isinstance(value, Reference)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Filter:
    """A filter and its declarations; calling it validates the parameters and filters one image.

    The callables that are part of a declaration receive every parameter, validated and converted.

    Attributes
    ----------
    name
        The name used in recipes.
    function
        The function, or the class.
    tiles
        Whether a tile filtered on its own, with `halo` pixels of context on each side, equals the same tile of the
        filtered image: "exact" (except for the rounding of floats), "near" (within 1 grey level, or 1e-5 of the range
        for floats; results may be clipped to limits that depend on the whole image) or "no".
    halo
        ``halo(parameters, pixel_size)``: the pixels of context on each side that a result depends on.
    infer_output
        ``infer_output(properties, parameters)``: shape, dtype and axes of the result, given those of the input.
        Where the dtype depends on the pixels (labels), the smallest one possible. Raises `FilterError` for an
        image that the filter will refuse.
    check
        ``check(parameters)`` raises `RecipeError` if parameters that are valid one by one contradict each other.
        It is called before a run starts.
    libraries
        Modules that the first call on a common image imports; workers import them before they start.
    crop_region
        ``crop_region(properties, parameters)``, for a filter that only extracts a part of the image: that part, so
        that a reader can skip the rest.
    shrink
        ``shrink(properties, parameters)``, for a filter that reduces the image: the factor, 1 or more, by which a
        reader may already reduce height and width.
    reorients
        Whether the filter only rotates or flips the image, so that `shrink` of a later step still applies.
    heavy
        Whether loading takes seconds or much memory. If so, a separate process loads the filter before a run starts, to
        measure its memory. A loaded filter may have a method ``rehearse()``, which allocates the memory that filtering
        needs in addition to the image; it is counted for every worker.
    working_memory
        ``working_memory(properties, parameters)``: bytes that filtering takes in addition to some copies of the image,
        such as tables whose size depends on the parameters. They are counted by the memory estimate.
    provenance
        ``provenance(parameters)``: JSON values by parameter name that identify what the result depends on outside
        the recipe, such as the bytes of a file or a model and its runtime. They are recorded in the journal and
        replace the parameter in the fingerprint.
    examples
        Valid parameter sets, as a recipe writes them, which the contract tests apply to images of many dtypes and
        axes: ``({"sigma": 2}, {"sigma": "0.65um"})``. Give one set for each branch of the code that is worth
        testing, typical parameters first. The default is a single set without parameters; a filter with required
        parameters must declare its own. A filter that needs files declares a function ``examples(folder, size)``
        instead, which writes them into `folder` and returns the parameter sets, for images of `size`
        (height, width).
    """

    name: str
    function: Callable[..., Any]
    tiles: Tiles
    halo: Halo = _no_halo
    infer_output: OutputInference = _unchanged
    check: Check = _no_check
    libraries: tuple[str, ...] = ()
    crop_region: CropRegion | None = None
    shrink: ShrinkFactor | None = None
    reorients: bool = False
    heavy: bool = False
    working_memory: WorkingMemory = _no_memory
    provenance: Provenance = digests
    examples: Examples = ({},)

    def __call__(self, image: Image, /, **parameters: object) -> Image:
        """Filter one image.

        Raises
        ------
        RecipeError
            If a parameter is unknown or invalid.
        FilterError
            If the filter cannot process this image.
        """
        return self.load(parameters)(image)

    def load(self, parameters: Parameters) -> LoadedFilter:
        """Return a callable Image → Image with these parameters, and everything expensive loaded."""
        values = self.validate(parameters)
        if inspect.isclass(self.function):
            return cast("LoadedFilter", self.function(**values))
        return lambda image: cast("Image", self.function(image, **values))

    def validate(self, parameters: Parameters) -> dict[str, Any]:
        """Return every parameter, checked and converted; see `imgpool.core.parameters.validate`."""
        values = validate(self.function, self.name, parameters)
        self.check(values)
        return values

    def canonical(self, parameters: Parameters) -> dict[str, Any]:
        """Return every parameter, checked, as plain JSON values."""
        self.validate(parameters)
        return canonical(self.function, self.name, parameters)

    def describe(self) -> list[dict[str, Any]]:
        """Return the parameters with their types, ranges, defaults and meanings."""
        return describe(self.function)

    def example_parameters(self, folder: Path, size: tuple[int, int]) -> list[Parameters]:
        """Return the declared examples.

        Parameters
        ----------
        folder
            An existing folder for the files that examples refer to; they must outlive the parameter sets.
        size
            Height and width of the images that will be filtered.
        """
        return list(self.examples(folder, size) if callable(self.examples) else self.examples)

    @property
    def summary(self) -> str:
        """The first line of the docstring, without its full stop."""
        return self.help.partition("\n")[0].rstrip(".")

    @property
    def help(self) -> str:
        """The docstring."""
        return inspect.getdoc(self.function) or ""


def image_filter(  # noqa: PLR0913 - one keyword per declaration
    *,
    tiles: Tiles,
    halo: Halo = _no_halo,
    infer_output: OutputInference = _unchanged,
    check: Check = _no_check,
    libraries: tuple[str, ...] = (),
    crop_region: CropRegion | None = None,
    shrink: ShrinkFactor | None = None,
    reorients: bool = False,
    heavy: bool = False,
    working_memory: WorkingMemory = _no_memory,
    provenance: Provenance = digests,
    examples: Examples = ({},),
) -> Callable[[Callable[..., Any]], Filter]:
    """Declare a function or class to be a filter; the parameters are described in `Filter`."""

    def declare(function: Callable[..., Any]) -> Filter:
        return Filter(
            name=function.__name__,
            function=function,
            tiles=tiles,
            halo=halo,
            infer_output=infer_output,
            check=check,
            libraries=libraries,
            crop_region=crop_region,
            shrink=shrink,
            reorients=reorients,
            heavy=heavy,
            working_memory=working_memory,
            provenance=provenance,
            examples=examples,
        )

    return declare
