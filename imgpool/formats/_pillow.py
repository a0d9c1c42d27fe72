"""The base class of the readers that use Pillow, and helpers for the formats that Pillow reads or writes.

Pillow's plug-ins are called directly, not through ``PIL.Image.open``, which would also try other formats and warn
about large pictures; imgpool has its own limits.
"""

import io
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ImgpoolError, ReadError
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.part import Part
from imgpool.formats._errors import COPY_AGAIN, undecodable
from imgpool.formats._file_reader import FileReader

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


class PillowReader(FileReader):
    """Reader of a format of 8-bit pictures that Pillow parses.

    Attributes
    ----------
    modes
        Pillow's modes that are supported, each with the mode it is decoded to: L, LA, RGB or RGBA.
    """

    modes: ClassVar[Mapping[str, str]]

    @cached_property
    def properties(self) -> Properties:
        """See `Reader.properties`."""
        picture = self._picture
        samples = _SAMPLES[self._decoded_mode(picture)]
        shape = (picture.height, picture.width) if samples == 1 else (picture.height, picture.width, samples)
        pixel_size, _ = self._parse_metadata(picture)
        return Properties(shape, np.dtype(np.uint8), "YX" if samples == 1 else "YXS", pixel_size)

    def read(self, part: Part | None = None) -> Image:
        """See `Reader.read`."""
        part, picture, properties = part or Part(), self._picture, self.properties
        reduction = self._reduction(part)
        with self._translate_errors(picture):
            pixels = self._decode(picture, reduction)
        size, full_size = pixels.shape[:2], (picture.height, picture.width)
        reduced = picture.height // reduction, picture.width // reduction
        if size not in {full_size, reduced} or pixels.shape[2:] != properties.shape[2:]:
            raise ReadError(f"the {self.kind} is damaged: its picture does not have the size in its header", COPY_AGAIN)
        _, metadata = self._parse_metadata(picture)
        if size != full_size:
            metadata = replace(metadata, full_size=full_size)
        return part.crop(Image(pixels, properties.axes, properties.pixel_size, metadata))

    @cached_property
    def _picture(self) -> "ImageFile":
        """The open picture; its header is parsed and checked."""
        self._check_signature()
        self._file.seek(0)
        with self._translate_errors():
            picture = self._open_picture()
            if picture.mode not in self.modes:
                raise ReadError(f"this {self.kind} has the colour mode {picture.mode}, which imgpool does not read",
                                "convert it to RGB first")  # fmt: skip
            self._check_picture(picture)
        return picture

    @abstractmethod
    def _open_picture(self) -> "ImageFile":
        """Parse the header of the open file."""

    @abstractmethod
    def _parse_metadata(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        """Return the pixel size and the other metadata of an open picture."""

    def _check_picture(self, picture: "ImageFile") -> None:
        """Raise `ReadError` if the picture cannot or must not be decoded."""

    def _decoded_mode(self, picture: "ImageFile") -> str:
        """Return the mode to decode to."""
        return self.modes[picture.mode]

    def _reduction(self, _part: Part) -> int:
        """Return the factor by which to reduce both sides while decoding."""
        return 1

    def _decode(self, picture: "ImageFile", _reduction: int) -> Pixels:
        """Decode the pixels of an open picture, reduced or in full size."""
        mode = self._decoded_mode(picture)
        picture.load()
        return np.array(picture if picture.mode == mode else picture.convert(mode))

    def _truncated(self, picture: "ImageFile") -> ReadError:
        """Return the error for a file that ended while `picture` was decoded."""
        return ReadError(f"truncated: some of its {picture.width} × {picture.height} pixels are missing", COPY_AGAIN)

    @contextmanager
    def _translate_errors(self, picture: "ImageFile | None" = None) -> Iterator[None]:
        """Turn the many exceptions and warnings that Pillow has for a bad file into a `ReadError`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (ImgpoolError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:  # from the disk, not from Pillow
                raise
            raise self._read_error(error, picture) from error

    def _read_error(self, error: Exception, picture: "ImageFile | None") -> ReadError:
        cut_off = "truncated" in str(error).lower() or isinstance(error, EOFError)
        if cut_off and picture:
            return self._truncated(picture)
        if cut_off:
            return ReadError("truncated: the file ends within its header", COPY_AGAIN)
        if isinstance(error, SyntaxError):  # its text describes Pillow's parser, not the file
            return ReadError(f"the header of this {self.kind} is damaged, or of a rare variant", COPY_AGAIN)
        return undecodable(self.kind, error)


def is_grey_or_rgb(properties: Properties) -> bool:
    """Whether an image is one page of 8-bit grey or RGB, which BMP, GIF and JPEG can store."""
    samples = properties.shape[2:] if properties.axes in {"YX", "YXS"} else None
    return properties.dtype == np.uint8 and samples in {(), (3,)}


def encode(pixels: Pixels, format_name: str, **options: Any) -> bytes:  # noqa: ANN401 - the options of Pillow's save
    """Encode pixels, uint8 of shape (Y, X) or (Y, X, S), as a file."""
    from PIL import Image as PillowImage

    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(buffer, format_name, **options)
    return buffer.getvalue()


def comment_text(comment: bytes) -> str:
    """Decode a comment of JPEG or GIF, which do not state the encoding: UTF-8, or else Latin-1."""
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def comment_bytes(text: str) -> bytes:
    """Encode a comment; return no bytes if the text cannot be encoded because it contains surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""
