"""Reading WebP files."""

from functools import cached_property

import numpy as np

from imgpool.core.errors import ReadError
from imgpool.core.exif import PREFIX
from imgpool.core.image import Image, Metadata, Properties
from imgpool.core.part import Part
from imgpool.formats._errors import COPY_AGAIN, undecodable
from imgpool.formats._file_reader import FileReader
from imgpool.formats.webp._chunks import Header, iter_chunks, read_header


class WebpReader(FileReader):
    """Reader of WebP files."""

    kind = "WebP"

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        header = self._header
        return Properties((header.height, header.width, 3 + header.has_alpha), np.dtype(np.uint8), "YXS")

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        import imagecodecs

        properties = self.properties
        self._file.seek(0)
        data = self._file.read()
        try:
            pixels = imagecodecs.webp_decode(data, hasalpha=self._header.has_alpha)
        except (RuntimeError, ValueError) as error:
            raise undecodable("WebP", error) from error
        if pixels.shape != properties.shape:
            raise ReadError("the WebP is damaged: its picture does not have the size in its header", COPY_AGAIN)
        return (part or Part()).crop(Image(pixels, "YXS", metadata=_parse_metadata(data)))

    @cached_property
    def _header(self) -> Header:
        self._check_signature()
        return read_header(self._file)


def _parse_metadata(data: bytes) -> Metadata:
    bodies: dict[bytes, bytes] = {}
    for kind, body in iter_chunks(data):
        bodies.setdefault(kind, body)
    extra = {"xmp": bodies.get(b"XMP "), "webp_lossy": b"VP8 " in bodies}
    return Metadata(
        icc=bodies.get(b"ICCP") or None,
        exif=bodies.get(b"EXIF", b"").removeprefix(PREFIX) or None,
        extra={name: value for name, value in extra.items() if value},
    )
