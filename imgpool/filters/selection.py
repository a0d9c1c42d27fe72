"""Which pages of a stack: select."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.filter import Parameters, image_filter
from imgpool.core.image import Image, Properties
from imgpool.core.part import Part

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

__all__ = ["select"]

NAMES = {"t": "frames", "c": "channels", "z": "slices", "page": "pages"}
MOST = 1_000_000  # pages in a list

_SPAN = re.compile(r"\s*(\d{1,7})\s*(?:\.\.\s*(\d{1,7})\s*)?")


@dataclass(frozen=True, slots=True)
class Indices:
    """Numbers of pages, counted from 0: "1", "0..4" (both ends included), "0+2", or both: "0..4+8"."""

    numbers: tuple[int, ...]
    text: str

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read an integer, a list of integers, or a text; raise ``ValueError`` where it is none."""
        if isinstance(value, cls):
            return value
        items = value if isinstance(value, list | tuple) else [value]
        text = "+".join(map(str, items))
        numbers = tuple(number for part in text.split("+") for number in _read_span(part))
        if len(set(numbers)) != len(numbers):
            raise ValueError(f"{text!r} names a page twice")
        return cls(numbers, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())

    def __str__(self) -> str:
        return self.text


def _read_span(text: str) -> range:
    match = _SPAN.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no number of a page: write 1, 0..4 or 0+2, counted from 0")
    first = int(match[1])
    last = int(match[2] or first)
    if not first <= last < MOST:
        raise ValueError(f"{text!r} does not run from a lower to a higher number below {MOST:,}")
    return range(first, last + 1)


def _check(parameters: Parameters) -> None:
    if not any(parameters[name] for name in NAMES):
        raise RecipeError("select is not told what to keep", "give c, z, t or page, for example select:c=1")


def _part(properties: Properties, parameters: Parameters) -> Part:
    """The part of an image that is kept; raises `FilterError` where it has no such pages."""
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    pages = []
    for name, plural in NAMES.items():
        letter, wanted = "I" if name == "page" else name.upper(), parameters[name]
        if wanted is None:
            continue
        _check_pages(
            wanted, lengths.get(letter, 1), plural, coloured=letter == "C" and "C" not in lengths and "S" in lengths
        )
        if letter in lengths:
            pages.append((letter, wanted.numbers))
    return Part(pages=tuple(pages))


def _check_pages(wanted: Indices, length: int, plural: str, *, coloured: bool) -> None:
    if coloured:
        raise FilterError("the image has no channels: its colours are samples of each pixel", "add -f rgb2gray instead")
    missing = next((number for number in wanted.numbers if number >= length), None)
    if missing is not None:
        kind = plural.rstrip("s")
        there = f"has {length:,} {plural}, 0 to {length - 1:,}" if length > 1 else f"is a single {kind}, 0"
        raise FilterError(f"there is no {kind} {missing}: the image {there}", f"give a {kind} that every image has")


def _selected(properties: Properties, parameters: Parameters) -> Properties:
    return _part(properties, parameters).infer_output(properties)


@image_filter(
    tiles="no", infer_output=_selected, check=_check, crop_region=_part, examples=({"z": 0}, {"c": 0, "t": "0..0"})
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

    Numbers count from 0, as in OME: ``1`` is one page, ``0..4`` are five, ``0+2`` two; they come out in the
    order given. An axis of which one page is kept goes. Names of channels, the description of each channel in
    OME's XML, the distance between slices and the time between frames follow. As the first step of a recipe it
    saves reading what is not kept.

    Parameters
    ----------
    c
        Channels to keep. Red, green and blue are samples of a pixel, not channels.
    z
        Slices to keep, from the first to the last of the depth.
    t
        Frames to keep, from the first to the last in time.
    page
        Pages to keep of a file that does not tell what its pages are.

    Raises
    ------
    FilterError
        If the image has no such channel, slice, frame or page.

    Notes
    -----
    Any type in, the same out; pixels are unchanged. An image without an axis has one page along it, number 0.
    Agrees with indexing the array, as ``image[:, [0, 2]]`` does.

    Examples
    --------
    >>> stack = Image.from_array(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    >>> select(stack, z=1).pixels
    array([[4, 5],
           [6, 7]], dtype=uint8)
    >>> select(stack, z="0..1").pixels.shape
    (2, 2, 2)
    """
    part = _part(image.properties, {"c": c, "z": z, "t": t, "page": page})
    return replace(part.crop(image))
