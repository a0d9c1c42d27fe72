"""The header of a TIFF: which image it holds, who describes it, and how its pixels are laid out.

tifffile parses the header; its result is checked against the file.
"""

import math
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree.ElementTree import Element

from imgpool.core.axes import check_axes
from imgpool.core.errors import ReadError
from imgpool.core.image import PixelSize, Properties
from imgpool.formats._errors import COPY_AGAIN
from imgpool.formats._resolution import Dpi, pixel_size_or_dpi, round_off
from imgpool.formats.tiff import _imagej as imagej
from imgpool.formats.tiff import _ome as ome
from imgpool.formats.tiff._completeness import DirectoryCount, check_planes
from imgpool.formats.tiff._errors import damaged
from imgpool.formats.tiff._layout import TiffLayout, find_layout
from imgpool.formats.tiff._limits import check_compared_pages, check_declared_planes, check_xml
from imgpool.formats.tiff._tifffile_types import Page, Series, TiffFile

_X_RESOLUTION, _Y_RESOLUTION = 282, 283  # tags
_INCH, _CENTIMETRE = 2, 3  # values of ResolutionUnit
_UNDESCRIBED = {"generic", "uniform"}  # tifffile's kinds of series for pages without a description
_SPLIT_HINT = "split it into files of one image each first, for instance with tiffsplit or bfconvert -series"


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """The header of a TIFF file.

    Attributes
    ----------
    tiff, series
        tifffile's objects for the file and for its one image.
    layout
        How the stored numbers become pixels.
    flavour
        Whose description the file has: "ome", "imagej" or "plain".
    ome
        Root of the OME-XML; None for the other flavours.
    properties
        Of the pixels.
    dpi
        Resolution for print.
    """

    tiff: TiffFile
    series: Series
    layout: TiffLayout
    flavour: str
    ome: Element | None
    properties: Properties
    dpi: Dpi | None


def parse_header(file: BinaryIO, count: DirectoryCount) -> TiffHeader:
    """Parse the header of a complete TIFF file; raise `ReadError` if it cannot be read."""
    tiff, root = _parse(file, count)
    if root is not None and (files := ome.count_files(root)) > 1:
        raise ReadError(f"it is one of {files} files that form one OME-TIFF image", ome.COMBINE_FILES)
    if root is not None and ome.remove_file_names(root):
        tiff, root = _parse(file, count, ome.to_text(root).decode())
    if _describes_each_page(tiff):
        tiff, root = _parse(file, count, is_shaped=False)
    series = _only_series(tiff)
    flavour = _flavour(tiff, series)
    root = root if flavour == "ome" else None
    layout = find_layout(series, plain=flavour == "plain")
    if 0 in layout.shape:
        raise damaged("it declares an image without pixels")
    check_planes(file, series)
    try:
        check_axes(layout.axes, layout.shape)
    except ValueError as error:
        raise ReadError(f"it is not an image: {error}", "save it as a stack of planes first") from None
    size, dpi = _pixel_size_and_dpi(tiff, series.keyframe, root, flavour)
    properties = Properties(layout.shape, layout.dtype, layout.axes, size)
    return TiffHeader(tiff, series, layout, flavour, root, properties, dpi)


def _parse(
    file: BinaryIO, count: DirectoryCount, xml: str | None = None, **flags: bool
) -> tuple[TiffFile, Element | None]:
    """Parse a file with tifffile; return its object and the root of its OME-XML, which `xml` can replace."""
    import tifffile

    file.seek(0)
    tiff = tifffile.TiffFile(file, name="image.tif", omexml=xml, _multifile=False, **flags)
    _limit_comparison(tiff, count)
    description = tiff.pages.first.description
    if description.startswith("<"):  # the XML of OME, or of a slide scanner
        check_xml(description)
    if not tiff.is_ome:
        return tiff, None
    root = ome.parse(tiff.ome_metadata)
    check_declared_planes(root, count.pages)
    return tiff, root


def _limit_comparison(tiff: TiffFile, count: DirectoryCount) -> None:
    """Let tifffile compare pages with each other only if they are few; it does so if nothing describes them all."""
    compare_pages = tiff._series_generic  # noqa: SLF001 - tifffile has no limit of its own

    def check_and_compare_pages() -> object:
        check_compared_pages(sum(count))
        return compare_pages()

    tiff._series_generic = check_and_compare_pages  # noqa: SLF001 - see above


def _describes_each_page(tiff: TiffFile) -> bool:
    """Whether tifffile wrote equal pages one by one, each with its own shape: they are one stack nevertheless."""
    every = tiff.series if tiff.is_shaped else ()
    kinds = {(series.kind, len(series), series.shape, series.dtype, series.keyframe.hash) for series in every}
    return len(every) > 1 and len(kinds) == 1 and len(every) == len(tiff.pages)


def _only_series(tiff: TiffFile) -> Series:
    """Return the only image in the file, not counting thumbnails and pyramid levels."""
    every = tiff.series
    if not every:
        raise damaged("it contains no image")
    images = [series for series in every if not (series.keyframe.is_reduced or series.keyframe.is_mask)]
    if len(images) > 1:
        shapes = ", ".join("×".join(map(str, series.shape)) for series in images[:4])
        raise ReadError(f"it contains {len(images)} images ({shapes})", _SPLIT_HINT)
    return images[0] if images else every[0]


def _flavour(tiff: TiffFile, series: Series) -> str:
    """Return whose description the image has; raise `ReadError` if the description does not fit the pages."""
    if series.kind == "imagej":
        _check_imagej_count(tiff, series)
        return "imagej"
    if tiff.is_ome and series.kind in {"ome", "mmstack"}:
        return "ome"
    if series.kind not in _UNDESCRIBED:
        return "plain"  # tifffile's own description, or that of a microscope
    if tiff.is_ome:
        raise ReadError("its OME-XML does not fit its pages: it is damaged, or a program changed only the pages",
                        "copy it again, or remove the text: exiftool -ImageDescription= FILE")  # fmt: skip
    if tiff.is_imagej:
        raise _missing_imagej_images(tiff)
    if tiff.is_shaped and _lacks_pages(tiff):
        raise damaged("the shape that it declares does not fit its pages")
    return "plain"


def _lacks_pages(tiff: TiffFile) -> bool:
    """Whether there are fewer pages than the shape in tifffile's description needs.

    If the pages have another size, or are more, another program changed them and kept the description.
    """
    from tifffile.tifffile import shaped_description_metadata

    page = tiff.pages.first
    declared = [length for length in shaped_description_metadata(page.shaped_description)["shape"] if length > 1]
    plane = [length for length in page.shape if length > 1]
    leading = len(declared) - len(plane)
    return leading >= 0 and declared[leading:] == plane and len(tiff.pages) < math.prod(declared[:leading])


def _check_imagej_count(tiff: TiffFile, series: Series) -> None:
    """Check that the file has all images that ImageJ's description counts; Bio-Formats also counts samples."""
    page = series.keyframe
    available = math.prod(series.shape) // (page.imagelength * page.imagewidth)
    if tiff.imagej_metadata.get("images", 1) > available:
        raise _missing_imagej_images(tiff)


def _missing_imagej_images(tiff: TiffFile) -> ReadError:
    images = (tiff.imagej_metadata or {}).get("images", "several")
    return ReadError(f"truncated: ImageJ's description counts {images} images, and some are missing", COPY_AGAIN)


def _pixel_size_and_dpi(
    tiff: TiffFile, page: Page, root: Element | None, flavour: str
) -> tuple[PixelSize | None, Dpi | None]:
    """Return the pixel size and the resolution for print."""
    if flavour == "imagej":
        return imagej.pixel_size(tiff.imagej_metadata, _density(page))
    size, dpi = None, None
    if page.resolutionunit in {_INCH, _CENTIMETRE}:
        size, dpi = pixel_size_or_dpi(*_density(page), "inch" if page.resolutionunit == _INCH else "cm")
    if root is not None:
        return ome.pixel_size(root), dpi
    return None if size is None else PixelSize(round_off(size.y), round_off(size.x)), dpi


def _density(page: Page) -> tuple[float, float]:
    """Return the pixels per unit, horizontal and vertical; 0 where the file does not give them."""
    pairs = [page.tags.valueof(tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    return tuple(pair[0] / pair[1] if pair and pair[1] else 0.0 for pair in pairs)  # type: ignore[return-value] # two
