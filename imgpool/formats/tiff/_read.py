"""Reading TIFF: plain, OME and ImageJ, through tifffile, which is believed only where the file bears it out."""

import contextlib
import errno
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from imgpool.core.axes import check_axes
from imgpool.core.errors import ImageError, ReadError
from imgpool.core.format import FilePath, Guard
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.part import Choose, Part, whole
from imgpool.formats._quiet import quiet
from imgpool.formats._resolution import Dpi, pixel_size_or_dpi, tidy
from imgpool.formats._sniff import COPY_AGAIN, HEAD_SIZE, check_kind
from imgpool.formats.tiff import _imagej as imagej
from imgpool.formats.tiff import _ome as ome
from imgpool.formats.tiff._check import check_planes, check_whole, damaged
from imgpool.formats.tiff._exif import read_exif
from imgpool.formats.tiff._ifd import DirectoryError
from imgpool.formats.tiff._layout import TiffLayout, find_layout, has_unspecified_sample, is_premultiplied
from imgpool.formats.tiff._part import can_decode_part, decode_part

_ICC, _XMP, _IPTC = 34675, 700, 33723
_INCH, _CENTIMETRE = 2, 3
_UNDESCRIBED = {"generic", "uniform"}  # tifffile's kinds for pages that nothing describes
_SPLIT = "split it into files of one image each first, for instance with tiffsplit or bfconvert -series"


class Words(NamedTuple):
    """What a flavour says in its own way."""

    description: str
    channel_names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Opened:
    """An open TIFF whose header has been understood, and nothing decoded."""

    file: BinaryIO
    tiff: Any
    series: Any
    layout: TiffLayout
    flavour: str
    ome: Element | None
    properties: Properties
    dpi: Dpi | None

    def decode(self, part: Part) -> Image:
        """Read a part of the pixels, and all the metadata."""
        if part.is_whole or not can_decode_part(self.series, self.layout):
            return part.cut(self._decode_whole())
        pixels = decode_part(self.file, self.series, self.layout, part)
        return part.settle(Image(pixels, self.layout.axes, self.properties.pixel_size, self._metadata()))

    def _decode_whole(self) -> Image:
        stored = self.series.asarray(maxworkers=1)
        if stored.shape != self.series.shape:
            raise damaged(f"it declares pixels of shape {self.series.shape}, and holds {stored.shape}")
        pixels = self.layout.apply(stored)
        return Image(pixels, self.layout.axes, self.properties.pixel_size, self._metadata())

    def _metadata(self) -> Metadata:
        page, words = self.series.keyframe, self._words()
        extra = {
            **words.extra,
            "xmp": _bytes(page, _XMP),
            "tiff_iptc": _bytes(page, _IPTC),
            "page_shape": self.layout.page_shape,
            "unspecified_sample": has_unspecified_sample(page),
        }
        return Metadata(
            icc=_bytes(page, _ICC),
            exif=read_exif(self.file),
            dpi=self.dpi,
            description=words.description,
            channel_names=words.channel_names,
            flavour=self.flavour,
            premultiplied=is_premultiplied(page),
            extra=MappingProxyType({key: value for key, value in extra.items() if value}),
        )

    def _words(self) -> Words:
        """What only the file's own flavour says, or says in its own way."""
        if self.ome is not None:
            extra = {"ome": self.tiff.ome_metadata, "frame_interval": ome.frame_interval(self.ome)}
            return Words(ome.description(self.ome), ome.channel_names(self.ome), extra)
        if self.flavour == "imagej":
            return self._imagej_words(self.tiff.imagej_metadata)
        page = self.tiff.pages.first
        return Words("" if page.description == page.shaped_description else page.description)

    def _imagej_words(self, said: dict[str, Any]) -> Words:
        colormap = self.series.keyframe.colormap
        colours = {} if colormap is None else {"colormap": np.asarray(colormap)}
        extra = {
            "imagej": imagej.remember({**said, **colours}, self.properties),
            "frame_interval": said.get("finterval"),
        }
        names = imagej.channel_names(said, self.layout.axes, self.layout.shape)
        return Words(str(said.get("Info", "")), names, extra)


def read_properties(path: FilePath) -> Properties:
    """See `Format.properties`."""
    with open(path, "rb") as file, quiet():
        return _open(file, path).properties


def read_image(path: FilePath, guard: Guard, choose: Choose = whole) -> Image:
    """See `Format.read_part`."""
    with open(path, "rb") as file, quiet():
        opened = _open(file, path)
        guard(opened.properties)
        part = choose(opened.properties)
        with _explained():
            return opened.decode(part)


def _open(file: BinaryIO, path: FilePath) -> Opened:
    check_kind(path, file.read(HEAD_SIZE), "TIFF")
    check_whole(file)
    with _explained():
        return _understand(file)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn whatever a damaged file provokes into a `ReadError`."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # of the disk or the network; EINVAL is a wrong offset
            raise
        raise damaged("it points to where nothing can be") from None
    except (ome.OmeError, DirectoryError) as error:
        raise damaged(str(error)) from None
    except Exception as error:  # noqa: BLE001 - tifffile and its codecs raise anything
        raise _undecodable(error) from None


def _undecodable(error: Exception) -> ReadError:
    if isinstance(error, NotImplementedError):
        return ReadError(f"it is stored in a way that imgpool does not read ({_first_line(error)})",
                         "save it again without compression")  # fmt: skip
    return damaged(f"it does not decode ({_first_line(error)})")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__


def _understand(file: BinaryIO) -> Opened:
    tiff, root = _parse(file)
    if root is not None and (files := ome.count_files(root)) > 1:
        raise ReadError(f"it is one of the {files} files of one OME-TIFF image",
                        "put them into one file first, for instance with bfconvert")  # fmt: skip
    if root is not None and ome.forget_files(root):
        tiff, root = _parse(file, ome.to_text(root).decode())
    if _states_each_page(tiff):
        tiff, root = _parse(file, is_shaped=False)
    series = _only_series(tiff)
    flavour = _flavour(tiff, series)
    root = root if flavour == "ome" else None
    layout = find_layout(series, plain=flavour == "plain")
    if 0 in layout.shape:
        raise damaged("it is an image of no pixels")
    check_planes(file, series)
    try:
        check_axes(layout.axes, layout.shape)
    except ValueError as error:
        raise ReadError(f"it is no image: {error}", "save it as a stack of planes first") from None
    size, dpi = _scale(tiff, series.keyframe, root, flavour)
    properties = Properties(layout.shape, layout.dtype, layout.axes, size)
    return Opened(file, tiff, series, layout, flavour, root, properties, dpi)


def _states_each_page(tiff: Any) -> bool:  # noqa: ANN401
    """Whether tifffile wrote pages of one kind one by one, each with a shape of its own: a stack all the same."""
    every = tiff.series if tiff.is_shaped else ()
    kinds = {(series.kind, len(series), series.shape, series.dtype, series.keyframe.hash) for series in every}
    return len(every) > 1 and len(kinds) == 1 and len(every) == len(tiff.pages)


def _parse(file: BinaryIO, xml: str | None = None, **flags: bool) -> tuple[Any, Element | None]:
    """The file as tifffile sees it, and the root of its OME-XML, in place of which `xml` can stand."""
    import tifffile

    file.seek(0)
    tiff = tifffile.TiffFile(file, name="image.tif", omexml=xml, _multifile=False, **flags)
    return tiff, ome.parse(tiff.ome_metadata) if tiff.is_ome else None


def _only_series(tiff: Any) -> Any:  # noqa: ANN401
    """The one series of images in the file, thumbnails and pyramid levels aside."""
    every = tiff.series
    if not every:
        raise damaged("it holds no image")
    images = [series for series in every if not (series.keyframe.is_reduced or series.keyframe.is_mask)]
    if len(images) > 1:
        shapes = ", ".join("×".join(map(str, series.shape)) for series in images[:4])
        raise ReadError(f"it holds {len(images)} images ({shapes})", _SPLIT)
    return images[0] if images else every[0]


def _flavour(tiff: Any, series: Any) -> str:  # noqa: ANN401
    """Who describes the image; an error where tifffile could not make sense of what is declared."""
    if series.kind == "imagej":
        _check_promise(tiff, series)
        return "imagej"
    if tiff.is_ome and series.kind in {"ome", "mmstack"}:
        return "ome"
    if series.kind not in _UNDESCRIBED:
        return "plain"  # tifffile's own, or a microscope's
    if tiff.is_ome:
        raise ReadError("its OME-XML does not fit its pages: it is damaged, or changed by a program that kept the text",
                        "copy it again, or drop the text: exiftool -ImageDescription= FILE")  # fmt: skip
    if tiff.is_imagej:
        raise _broken_promise(tiff)
    if tiff.is_shaped and _lacks_pages(tiff):
        raise damaged("the shape that it declares does not fit its pages")
    return "plain"


def _lacks_pages(tiff: Any) -> bool:  # noqa: ANN401
    """Whether there are fewer pages than the shape that tifffile stated asks for.

    Pages of another size, or more of them, are another program's, which kept the text.
    """
    from tifffile.tifffile import shaped_description_metadata

    page = tiff.pages.first
    stated = [length for length in shaped_description_metadata(page.shaped_description)["shape"] if length > 1]
    there = [length for length in page.shape if length > 1]
    leading = len(stated) - len(there)
    return leading >= 0 and stated[leading:] == there and len(tiff.pages) < math.prod(stated[:leading])


def _check_promise(tiff: Any, series: Any) -> None:  # noqa: ANN401
    """Look whether there are as many images as ImageJ's description says; Bio-Formats counts samples as well."""
    page = series.keyframe
    there = math.prod(series.shape) // (page.imagelength * page.imagewidth)
    if tiff.imagej_metadata.get("images", 1) > there:
        raise _broken_promise(tiff)


def _broken_promise(tiff: Any) -> ReadError:  # noqa: ANN401
    images = (tiff.imagej_metadata or {}).get("images", "several")
    return ReadError(f"truncated: ImageJ's description promises {images} images, which are not all there", COPY_AGAIN)


def _scale(tiff: Any, page: Any, root: Element | None, flavour: str) -> tuple[PixelSize | None, Dpi | None]:  # noqa: ANN401
    """The pixel size and the resolution for print."""
    told = ome.pixel_size(root) if root is not None else None
    if flavour == "imagej":
        return imagej.pixel_size(tiff.imagej_metadata, _density(page))
    size, dpi = None, None
    if page.resolutionunit in {_INCH, _CENTIMETRE}:
        size, dpi = pixel_size_or_dpi(*_density(page), "inch" if page.resolutionunit == _INCH else "cm")
    return (told, dpi) if root is not None else (_tidied(size), dpi)


def _density(page: Any) -> tuple[float, float]:  # noqa: ANN401
    """Pixels per unit, horizontal and vertical; 0 where the file does not tell."""
    pairs = [page.tags.valueof(tag) for tag in (282, 283)]
    return tuple(pair[0] / pair[1] if pair and pair[1] else 0.0 for pair in pairs)  # type: ignore[return-value] # two


def _tidied(size: PixelSize | None) -> PixelSize | None:
    return None if size is None else PixelSize(tidy(size.y), tidy(size.x))


def _bytes(page: Any, tag: int) -> bytes | None:  # noqa: ANN401
    value = page.tags.valueof(tag)
    return bytes(value) if isinstance(value, bytes | bytearray) else None
