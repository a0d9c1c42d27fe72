"""Selection of pages from a stack: select."""

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Properties
from imgpool.core.part import Part

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["select"]

PLURALS = {"t": "frames", "c": "channels", "z": "slices", "page": "pages"}
MAX_PAGES = 1_000_000

_RANGE = re.compile(r"\s*(\d{1,7})\s*(?:\.\.\s*(\d{1,7})\s*)?")


@dataclass(frozen=True, slots=True)
class Indices:
    """Page numbers from 0, as "1", a range "0..4" (inclusive), a list "0+2", or a combination "0..4+8"."""

    numbers: tuple[int, ...]
    text: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse an integer, a list of integers or a text such as "0..4+8"; raises ``ValueError``."""
        if isinstance(value, cls):
            return value
        items = value if isinstance(value, list | tuple) else [value]
        text = "+".join(map(str, items))
        ranges = [_parse_range(part) for part in text.split("+")]
        if sum(map(len, ranges)) > MAX_PAGES:  # before any is written out
            raise ValueError("must be different numbers")
        numbers = tuple(itertools.chain.from_iterable(ranges))
        if len(set(numbers)) != len(numbers):
            raise ValueError("must be different numbers")
        return cls(numbers, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())

    def __str__(self) -> str:
        return self.text


def _parse_range(text: str) -> range:
    match = _RANGE.fullmatch(text)
    if not match:
        raise ValueError("must be a number, a range (0..4) or a list (0+2)")
    first = int(match[1])
    last = int(match[2] or first)
    if first > last:
        raise ValueError("must be a range from a lower to a higher number")
    if last >= MAX_PAGES:
        raise ValueError(f"must be below {MAX_PAGES:,}")
    return range(first, last + 1)


def _check(parameters: Parameters) -> None:
    if not any(parameters[name] for name in PLURALS):
        raise RecipeError("select needs c, z, t or page", "give at least one of them, for example select:c=1")


def _part(properties: Properties, parameters: Parameters) -> Part:
    """Return the part of an image to keep; raise `FilterError` if the image has no such pages."""
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    pages = []
    for name, plural in PLURALS.items():
        letter, indices = "I" if name == "page" else name.upper(), parameters[name]
        if indices is None:
            continue
        if letter == "C" and "C" not in lengths and "S" in lengths:
            raise FilterError(
                "the image has no channels: its colours are samples of each pixel",
                f"use {Hint('filters', 'rgb2gray')} instead",
            )
        _check_pages(indices, lengths.get(letter, 1), plural)
        if letter in lengths:
            pages.append((letter, indices.numbers))
    return Part(pages=tuple(pages))


def _check_pages(indices: Indices, length: int, plural: str) -> None:
    missing = next((number for number in indices.numbers if number >= length), None)
    if missing is not None:
        singular = plural.rstrip("s")
        existing = f"has {length:,} {plural}, 0 to {length - 1:,}" if length > 1 else f"has only {singular} 0"
        raise FilterError(
            f"there is no {singular} {missing}: the image {existing}", f"choose a {singular} that every image has"
        )


def _infer_selected(properties: Properties, parameters: Parameters) -> Properties:
    return _part(properties, parameters).infer_output(properties)


@image_filter(
    tiles="no",
    infer_output=_infer_selected,
    check=_check,
    crop_region=_part,
    examples=({"z": 0}, {"c": 0, "t": "0..0"}),
)
def select(
    image: Image,
    *,
    c: Indices | None = None,
    z: Indices | None = None,
    t: Indices | None = None,
    page: Indices | None = None,
) -> Image:
    """Keep some of the channels, slices, frames or pages of an image.

    Numbers start from 0, as in OME: ``1`` selects one page, ``0..4`` five, ``0+2`` two. The result has them in the
    given order. An axis along which a single page is selected is removed. Channel names, the channels' descriptions
    in OME-XML, the distance between slices and the time between frames are adapted. If `select` is the
    first step of a recipe, other pages are not read at all.

    Parameters
    ----------
    c
        Channels to keep. Red, green and blue are samples of a pixel, not channels.
    z
        Slices to keep.
    t
        Frames to keep.
    page
        Pages to keep, in a file that does not say what its pages are.

    Raises
    ------
    FilterError
        If the image has no such channel, slice, frame or page.

    Notes
    -----
    Dtype: any type → the same; pixels stay unchanged. An image without an axis has a single page along it, number 0.
    Agrees with indexing an array, as in ``image[:, [0, 2]]``.

    Examples
    --------
    >>> stack = Image.from_array(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    >>> select(stack, z=1).pixels
    array([[4, 5],
           [6, 7]], dtype=uint8)
    >>> select(stack, z="0..1").pixels.shape
    (2, 2, 2)
    """
    return _part(image.properties, {"c": c, "z": z, "t": t, "page": page}).crop(image)
