"""What the formats that Pillow decodes share.

Pillow's plug-ins are called directly, not through ``PIL.Image.open``: that would look for other formats than the
one asked for, and warn of large pictures, which is for our guard to decide.
"""

import io
import os
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.errors import ImgpoolError, ReadError
from imgpool.core.format import FilePath, Format, Guard, no_guard
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.part import Choose, Part, whole
from imgpool.formats._sniff import COPY_AGAIN, HEAD_SIZE, check_kind

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


class PillowFormat(Format):
    """A format of 8-bit pictures that Pillow reads.

    Attributes
    ----------
    kind
        What `_sniff` calls it.
    modes
        Pillow's modes that are read, each with the mode it is decoded to: L, LA, RGB or RGBA.
    """

    kind: ClassVar[str]
    modes: ClassVar[Mapping[str, str]]

    @abstractmethod
    def _open(self, file: BinaryIO) -> "ImageFile":
        """Parse the header."""

    @abstractmethod
    def _describe(self, picture: "ImageFile") -> tuple[PixelSize | None, Metadata]:
        """What the file says beside its pixels."""

    def _check(self, picture: "ImageFile", size: int) -> None:
        """Raise `ReadError` for what must not be read; `size` is the file's, in bytes."""

    def _mode(self, picture: "ImageFile") -> str:
        """The mode to decode to."""
        return self.modes[picture.mode]

    def _reduction(self, _properties: Properties, _part: Part) -> int:
        """How many times smaller along each side to decode, for the part that is wanted."""
        return 1

    def _decode(self, picture: "ImageFile", _file: BinaryIO, _reduction: int) -> Pixels:
        """The pixels of an open picture, reduced or whole; `_file` is what it was opened from."""
        mode = self._mode(picture)
        picture.load()
        return np.array(picture if picture.mode == mode else picture.convert(mode))

    def _truncated(self, picture: "ImageFile") -> ReadError:
        """What to say of a file that ended while `picture` was decoded."""
        return ReadError(f"truncated: a part of the {picture.width} × {picture.height} pixels is missing", COPY_AGAIN)

    def properties(self, path: FilePath) -> Properties:
        """See `Format.properties`."""
        with open(path, "rb") as file:
            return self._properties(self._parse(path, file))

    def read(self, path: FilePath, guard: Guard = no_guard) -> Image:
        """See `Format.read`."""
        return self.read_part(path, whole, guard)

    def read_part(self, path: FilePath, choose: Choose, guard: Guard = no_guard) -> Image:
        """See `Format.read_part`."""
        with open(path, "rb") as file:
            picture = self._parse(path, file)
            properties = self._properties(picture)
            guard(properties)
            part = choose(properties)
            reduction = self._reduction(properties, part)
            with self._reading(picture):
                pixels = self._decode(picture, file, reduction)
        size, full_size = pixels.shape[:2], (picture.height, picture.width)
        reduced = picture.height // reduction, picture.width // reduction
        if size not in {full_size, reduced} or pixels.shape[2:] != properties.shape[2:]:
            raise ReadError(f"the {self.kind} is damaged: its picture is not as large as its header says", COPY_AGAIN)
        _, metadata = self._describe(picture)
        if size != full_size:
            metadata = replace(metadata, full_size=full_size)
        return part.cut(Image(pixels, properties.axes, properties.pixel_size, metadata))

    def _parse(self, path: FilePath, file: BinaryIO) -> "ImageFile":
        check_kind(path, file.read(HEAD_SIZE), self.kind)
        file.seek(0)
        with self._reading():
            picture = self._open(file)
            if picture.mode not in self.modes:
                raise ReadError(f"this {self.kind} is {picture.mode}, which imgpool does not read",
                                "convert it to RGB first")  # fmt: skip
            self._check(picture, os.fstat(file.fileno()).st_size)
        return picture

    def _properties(self, picture: "ImageFile") -> Properties:
        samples = _SAMPLES[self._mode(picture)]
        shape = (picture.height, picture.width) if samples == 1 else (picture.height, picture.width, samples)
        pixel_size, _ = self._describe(picture)
        return Properties(shape, np.dtype(np.uint8), "YX" if samples == 1 else "YXS", pixel_size)

    @contextmanager
    def _reading(self, picture: "ImageFile | None" = None) -> Iterator[None]:
        """Turn what Pillow says of a bad file, in a dozen exception types and warnings, into a `ReadError`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (ImgpoolError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's, not Pillow's
                raise
            raise self._explain(error, picture) from None

    def _explain(self, error: Exception, picture: "ImageFile | None") -> ReadError:
        cut_off = "truncated" in str(error).lower() or isinstance(error, EOFError)
        if cut_off and picture:
            return self._truncated(picture)
        if cut_off:
            return ReadError("truncated: the file ends within its header", COPY_AGAIN)
        if isinstance(error, SyntaxError):  # its text is of Pillow's parser, not of the file
            return ReadError(f"the header of this {self.kind} is damaged, or of a rare kind", COPY_AGAIN)
        return ReadError(f"the {self.kind} is damaged: {error}", COPY_AGAIN)


def is_grey_or_rgb(properties: Properties) -> bool:
    """Whether this is one page of 8-bit grey or RGB, which every `PillowFormat` holds."""
    samples = properties.shape[2:] if properties.axes in {"YX", "YXS"} else None
    return properties.dtype == np.uint8 and samples in {(), (3,)}


def encode(pixels: Pixels, format_name: str, **options: Any) -> bytes:  # noqa: ANN401 - as Pillow's save takes them
    """The bytes of a file; `pixels` are uint8, (Y, X) or (Y, X, S)."""
    from PIL import Image as PillowImage

    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(pixels)).save(buffer, format_name, **options)
    return buffer.getvalue()


def comment_text(comment: bytes) -> str:
    """The text of a comment, whose encoding JPEG and GIF do not tell: UTF-8, or where that fails Latin-1."""
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def comment_bytes(text: str) -> bytes:
    """A comment with this text; empty where it cannot be encoded, for it holds surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""
