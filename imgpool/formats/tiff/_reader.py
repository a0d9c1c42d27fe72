"""Reading TIFF files: plain, OME and ImageJ."""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.image import Image, Metadata, Properties
from imgpool.core.part import Part
from imgpool.formats._file_reader import FileReader
from imgpool.formats._log_silencer import LogSilencer
from imgpool.formats.tiff import _imagej as imagej
from imgpool.formats.tiff import _ome as ome
from imgpool.formats.tiff._completeness import check_complete
from imgpool.formats.tiff._errors import damaged, translate_errors
from imgpool.formats.tiff._exif import read_exif
from imgpool.formats.tiff._header import TiffHeader, parse_header
from imgpool.formats.tiff._layout import has_unspecified_sample, is_premultiplied
from imgpool.formats.tiff._part import can_decode_part, decode_part
from imgpool.formats.tiff._tifffile_types import Page

_ICC, _XMP, _IPTC = 34675, 700, 33723  # tags


class FlavourMetadata(NamedTuple):
    """Metadata that each flavour (OME, ImageJ, plain) stores in its own way."""

    description: str
    channel_names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = MappingProxyType({})


class TiffReader(FileReader):
    """Reader of TIFF files: decodes only the planes, strips and tiles of the part that is asked for."""

    kind = "TIFF"

    @property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        return self._header.properties

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        part, header = part or Part(), self._header
        with LogSilencer(), translate_errors():
            if part.is_whole or not can_decode_part(header.series, header.layout):
                return part.crop(self._image(self._decode_whole()))
            return part.adapt_metadata(self._image(decode_part(self._file, header.series, header.layout, part)))

    @cached_property
    def _header(self) -> TiffHeader:
        self._check_signature()
        with LogSilencer():
            count = check_complete(self._file)
            with translate_errors():
                return parse_header(self._file, count)

    def _decode_whole(self) -> Pixels:
        series = self._header.series
        stored = series.asarray(maxworkers=1)
        if stored.shape != series.shape:
            raise damaged(f"it declares pixels of shape {series.shape}, but contains {stored.shape}")
        return self._header.layout.apply(stored)

    def _image(self, pixels: Pixels) -> Image:
        return Image(pixels, self._header.layout.axes, self.properties.pixel_size, self._metadata())

    def _metadata(self) -> Metadata:
        header = self._header
        page, flavoured = header.series.keyframe, self._flavour_metadata()
        extra = {
            **flavoured.extra,
            "xmp": _bytes(page, _XMP),
            "tiff_iptc": _bytes(page, _IPTC),
            "page_shape": header.layout.page_shape,
            "unspecified_sample": has_unspecified_sample(page),
        }
        return Metadata(
            icc=_bytes(page, _ICC),
            exif=read_exif(self._file),
            dpi=header.dpi,
            description=flavoured.description,
            channel_names=flavoured.channel_names,
            flavour=header.flavour,
            premultiplied=is_premultiplied(page),
            extra=MappingProxyType({key: value for key, value in extra.items() if value}),
        )

    def _flavour_metadata(self) -> FlavourMetadata:
        header = self._header
        if header.ome is not None:
            extra = {"ome": header.tiff.ome_metadata, "frame_interval": ome.frame_interval(header.ome)}
            return FlavourMetadata(ome.description(header.ome), ome.channel_names(header.ome), extra)
        if header.flavour == "imagej":
            return self._imagej_metadata(header.tiff.imagej_metadata)
        page = header.tiff.pages.first
        return FlavourMetadata("" if page.description == page.shaped_description else page.description)

    def _imagej_metadata(self, values: dict[str, Any]) -> FlavourMetadata:
        header = self._header
        colormap = header.series.keyframe.colormap
        colours = {} if colormap is None else {"colormap": np.asarray(colormap)}
        extra = {
            "imagej": imagej.values_to_keep({**values, **colours}, header.properties),
            "frame_interval": values.get("finterval"),
        }
        names = imagej.channel_names(values, header.layout.axes, header.layout.shape)
        return FlavourMetadata(str(values.get("Info", "")), names, extra)


def _bytes(page: Page, tag: int) -> bytes | None:
    value = page.tags.valueof(tag)
    return bytes(value) if isinstance(value, bytes | bytearray) else None
