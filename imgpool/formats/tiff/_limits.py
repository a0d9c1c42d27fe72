"""Limits on what the header of a TIFF may contain; they are checked before the header is parsed as a whole.

A small file can declare much: a million pages, a tree of XML whose objects take twenty times the memory of its text, or
tags that all point to the same bytes. Everything within these limits is parsed in seconds, and within about 1.5 GB.
"""

import math
from xml.etree.ElementTree import Element
from xml.parsers import expat

from imgpool.core.errors import ReadError
from imgpool.formats.tiff._errors import damaged
from imgpool.formats.tiff._ifd import Entry

MAX_PAGES = 1_000_000
"""Most directories of a file, and most planes that a description may declare."""

MAX_COMPARED_PAGES = 10_000
"""Most directories of a file whose pages differ: tifffile compares each with all that are like it, in some 10 s."""

MAX_SEGMENTS = 10_000_000
"""Most strips and tiles of a file, over all its pages."""

MAX_SUB_DIRECTORIES = 1000
"""Most directories below a page; a pyramid has up to 20, and each is parsed."""

MAX_VALUES_BYTES = 256 << 20
"""Size of the values of all tags that is always accepted, in bytes; in honest files, they do not overlap."""

MAX_NUMBERS = 1_000_000
"""Most numbers in one standard tag, except in the tables of strips and tiles."""

DESCRIPTION, SUB_DIRECTORIES = 270, 330
FIRST_PRIVATE_TAG = 32768
"""Private tags, such as the layers of Photoshop, are parsed only where imgpool needs them."""

MAX_XML_BYTES = 128 << 20
MAX_XML_ITEMS = 3_000_000
"""Most elements and attributes of a description in XML."""

MAX_XML_DEPTH = 100
"""Most elements that contain each other."""

_SPLIT = "split it into several files first"
_REMOVE_TAG = "remove it, for instance with exiftool"
_REMOVE_DESCRIPTION = "remove the text: exiftool -ImageDescription= FILE"
_BYTE_KINDS = {1, 2, 6, 7}  # types of tags that become bytes or text


class TagTotals:
    """What the tags of a file hold together.

    Parameters
    ----------
    file_size
        Size of the file in bytes.
    """

    def __init__(self, file_size: int) -> None:
        self._file_size = file_size
        self._max_bytes = max(MAX_VALUES_BYTES, 2 * file_size)
        self._nbytes = 0
        self._segments = 0
        self._sub_directories = 0

    @property
    def sub_directories(self) -> int:
        """Number of directories below pages."""
        return self._sub_directories

    def add_value(self, entry: Entry, end: int) -> None:
        """Add the value of a tag, which ends at the position `end`, unless that is beyond the file.

        Raises
        ------
        ReadError
            If it, or all of them together, are too much to parse.
        """
        if end > self._file_size:
            return
        self._nbytes += entry.size
        if self._nbytes > self._max_bytes:
            raise damaged("its tags overlap, and hold far more than the file")
        if entry.tag == SUB_DIRECTORIES:
            self._add_sub_directories(entry.number)
        has_many_numbers = entry.number > MAX_NUMBERS and entry.kind not in _BYTE_KINDS
        if entry.tag < FIRST_PRIVATE_TAG and (has_many_numbers or entry.size > MAX_XML_BYTES):
            name = "description" if entry.tag == DESCRIPTION else f"tag {entry.tag}"
            raise ReadError(f"its {name} has {entry.size / 1e6:,.0f} MB, more than imgpool reads", _REMOVE_TAG)

    def _add_sub_directories(self, number: int) -> None:
        """Add the directories below a page; raise `ReadError` for too many."""
        self._sub_directories += number
        check_page_count(self._sub_directories)
        if number > MAX_SUB_DIRECTORIES:
            raise ReadError(f"it has more than {MAX_SUB_DIRECTORIES:,} directories below a page, the most that imgpool "
                            "reads", "save it again without its smaller versions")  # fmt: skip

    def add_segments(self, table: Entry) -> None:
        """Add the strips or tiles of a page, unless their table exceeds the file; raise `ReadError` for too many."""
        self._segments += table.number if table.size <= self._file_size else 0
        if self._segments > MAX_SEGMENTS:
            raise ReadError(f"it has more than {MAX_SEGMENTS:,} strips or tiles, the most that imgpool reads",
                            "save it again with larger ones")  # fmt: skip


def check_page_count(pages: int) -> None:
    """Raise `ReadError` if there are more pages, or planes are declared, than imgpool reads."""
    if pages > MAX_PAGES:
        raise ReadError(f"it has more than {MAX_PAGES:,} pages, the most that imgpool reads", _SPLIT)


def check_compared_pages(pages: int) -> None:
    """Raise `ReadError` if there are more pages than can be compared with each other."""
    if pages > MAX_COMPARED_PAGES:
        raise ReadError(f"its pages differ, and it has more than {MAX_COMPARED_PAGES:,} of them, the most that imgpool "
                        "compares", _SPLIT)  # fmt: skip


def check_xml(text: str) -> None:
    """Raise `ReadError` if a description in XML is too large or too deep to be parsed; damage is left to the parser."""
    if len(text) > MAX_XML_BYTES or text.count("<") + text.count("=") > MAX_XML_ITEMS:
        raise ReadError(f"its description in XML is too long: imgpool reads {MAX_XML_BYTES / 1e6:,.0f} MB, and "
                        f"{MAX_XML_ITEMS:,} elements and attributes", _REMOVE_DESCRIPTION)  # fmt: skip
    if text.count("<") > MAX_XML_DEPTH and _depth_exceeds(text, MAX_XML_DEPTH):
        raise ReadError(f"its description in XML has more than {MAX_XML_DEPTH} elements inside each other",
                        _REMOVE_DESCRIPTION)  # fmt: skip


def check_declared_planes(root: Element, pages: int) -> None:
    """Raise `ReadError` if OME-XML declares more planes, or longer axes, than imgpool reads.

    Parameters
    ----------
    root
        Of the XML.
    pages
        Number of pages in the file.
    """
    placed = 0
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name == "Pixels":
            check_page_count(math.prod(_integer(element, f"Size{axis}", 1) for axis in "ZCT"))
        elif name == "TiffData":
            placed += _planes(element, pages)
            check_page_count(placed)
        elif name.startswith("ModuloAlong"):
            check_page_count(_modulo_length(element))


def _planes(data: Element, pages: int) -> int:
    """Return the number of pages that an element TiffData places; without a number, it places all."""
    default = 1 if "IFD" in data.attrib else pages
    return _integer(data, "PlaneCount", _integer(data, "NumPlanes", default)) or pages


def _modulo_length(element: Element) -> int:
    """Return the number of positions along an axis that the XML splits."""
    start, end, step = (_number(element, name, default) for name, default in (("Start", 0), ("End", 0), ("Step", 1)))
    steps = abs((end - start) / step) if step else math.inf
    return MAX_PAGES + 1 if math.isnan(steps) or steps > MAX_PAGES else int(steps)


def _integer(element: Element, name: str, default: int) -> int:
    text = element.get(name, "")
    return min(int(text), MAX_PAGES + 1) if text.isdecimal() and len(text) < 20 else default  # noqa: PLR2004 - 64 bits


def _number(element: Element, name: str, default: float) -> float:
    try:
        return float(element.get(name, default))
    except ValueError:
        return default


def _depth_exceeds(text: str, maximum: int) -> bool:
    """Whether elements of a text in XML are nested deeper than `maximum`; the text is read only up to there."""
    depth = 0

    def start(_name: str, _attributes: list[str]) -> None:
        nonlocal depth
        depth += 1
        if depth > maximum:
            raise _TooDeepError

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(text.encode("utf-8", "replace"))
    except _TooDeepError:
        return True
    except expat.ExpatError:
        pass
    return False


class _TooDeepError(Exception):
    """The nesting has exceeded the maximum."""
