"""Recognise the kind of a file by its first bytes, so that an error can say "this is a PNG named .jpg"."""

import os
from typing import NamedTuple

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath
from imgpool.formats._errors import COPY_AGAIN

HEAD_BYTES = 512
"""Number of bytes at the start of a file that `identify` needs."""


class FileKind(NamedTuple):
    """A kind of file: its usual name, and its extensions, the most common one first."""

    name: str
    extensions: tuple[str, ...]


_PNG = FileKind("PNG", (".png",))
_JPEG = FileKind("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"))
_GIF = FileKind("GIF", (".gif",))
_BMP = FileKind("BMP", (".bmp", ".dib"))
_WEBP = FileKind("WebP", (".webp",))
_TIFF = FileKind("TIFF", (".tif", ".tiff"))
_NPY = FileKind("NPY", (".npy",))
_HEIF = FileKind("HEIF picture", (".heic", ".heif"))
_JPEG_2000 = FileKind("JPEG 2000 picture", (".jp2", ".j2k"))
_JPEG_XL = FileKind("JPEG XL picture", (".jxl",))

_SIGNATURES: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"\x93NUMPY", _NPY),
    (b"%PDF", FileKind("PDF", (".pdf",))),
    (b"PK\3\4", FileKind("ZIP archive", (".zip",))),
    (b"\x1f\x8b", FileKind("gzip archive", (".gz",))),
    (b"\x89HDF\r\n\x1a\n", FileKind("HDF5 file", (".h5",))),
    (b"ZISRAWFILE", FileKind("Zeiss CZI file", (".czi",))),
    (b"\xda\xce\xbe\x0a", FileKind("Nikon ND2 file", (".nd2",))),
    (b"\x70\0\0\0", FileKind("Leica LIF file", (".lif",))),
    (b"8BPS", FileKind("Photoshop file", (".psd",))),
    (b"\0\0\0\x0cjP  ", _JPEG_2000),
    (b"\xff\x4f\xff\x51", _JPEG_2000),
    (b"\0\0\0\x0cJXL ", _JPEG_XL),
    (b"\xff\x0a", _JPEG_XL),
    (b"SIMPLE  =", FileKind("FITS file", (".fits",))),
    (b"BM", _BMP),
)
_BRANDS = {  # of an ISO media file, after "ftyp"
    b"avif": FileKind("AVIF picture", (".avif",)),
    b"heic": _HEIF,
    b"heix": _HEIF,
    b"mif1": _HEIF,
}
_MOVIE = FileKind("movie", (".mp4",))


def identify(head: bytes) -> FileKind | None:
    """Return the kind of a file that starts with `head`; None if it is unknown."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MOVIE)
    if head[128:132] == b"DICM":
        return FileKind("DICOM file", (".dcm",))
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def check_signature(path: FilePath, head: bytes, name: str) -> None:
    """Raise a `ReadError` that says what the file is instead, unless it starts like one of kind `name`.

    Parameters
    ----------
    path
        The file; only its name is used.
    head
        The first `HEAD_BYTES` bytes, or the whole file if it is shorter.
    name
        "PNG", "JPEG", "GIF", "BMP", "WebP", "TIFF" or "NPY".

    Raises
    ------
    ReadError
        If the file is of another kind, empty or unknown.
    """
    kind = identify(head)
    if kind is None:
        raise _unknown_file(head, name)
    if kind.name == name:
        return
    extension = os.path.splitext(path)[1].lower()
    naming = f"named {extension}" if extension else "without an extension"
    if extension in kind.extensions:  # the format was not chosen by this extension
        naming = f"where {name} was expected"
    raise ReadError(
        f"this is {_with_article(kind.name)} {naming}", f"rename it so that it ends in {kind.extensions[0]}"
    )


def _unknown_file(head: bytes, name: str) -> ReadError:
    """Return an error that says what a file of an unknown kind most likely is."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head.strip(b"\0"):
        content = "contains only zeros, as an unfinished copy does" if head else "is empty"
        return ReadError(f"the file {content}", COPY_AGAIN)
    if head.startswith(b"\0\5\x16\7"):
        return ReadError("this is a side file of macOS, not an image", "it can be deleted")
    if text.startswith(b"version https://git-lfs"):
        return ReadError("this is a Git LFS pointer, not the image", "run git lfs pull")
    if text.startswith((b"<!doctype html", b"<html")):
        return ReadError(
            f"this is a web page, not {_with_article(name)}", "download it again: the server sent a page instead"
        )
    if _is_text(head):
        return ReadError(f"this is a text file, not {_with_article(name)}", "move it, or correct its extension")
    return ReadError(f"this is not {_with_article(name)}: it begins with the bytes {head[:4].hex(' ')}", COPY_AGAIN)


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" or name.startswith(("HDF", "NPY")) else f"a {name}"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head):  # not a letter that the end of `head` has cut
            return False
        text = head[: error.start].decode()
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
