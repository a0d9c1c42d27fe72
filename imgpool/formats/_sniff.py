"""What a file is, from its first bytes: so that an error can say "this is a PNG named .jpg"."""

import os
from typing import NamedTuple

from imgpool.core.errors import ReadError
from imgpool.core.format import FilePath

HEAD_SIZE = 512  # bytes that `kind_of` wants to see

COPY_AGAIN = "copy it again from where it came"


class Kind(NamedTuple):
    """A kind of file: what people call it, and the extensions it goes by, the usual one first."""

    name: str
    extensions: tuple[str, ...]


_PNG = Kind("PNG", (".png",))
_JPEG = Kind("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"))
_GIF = Kind("GIF", (".gif",))
_BMP = Kind("BMP", (".bmp", ".dib"))
_WEBP = Kind("WebP", (".webp",))
_TIFF = Kind("TIFF", (".tif", ".tiff"))
_NPY = Kind("NPY", (".npy",))
_HEIF = Kind("HEIF picture", (".heic", ".heif"))
_JPEG_2000 = Kind("JPEG 2000 picture", (".jp2", ".j2k"))
_JPEG_XL = Kind("JPEG XL picture", (".jxl",))

_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"\xff\xd8\xff", _JPEG),
    (b"GIF87a", _GIF),
    (b"GIF89a", _GIF),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
    (b"\x93NUMPY", _NPY),
    (b"%PDF", Kind("PDF", (".pdf",))),
    (b"PK\3\4", Kind("ZIP archive", (".zip",))),
    (b"\x1f\x8b", Kind("gzip archive", (".gz",))),
    (b"\x89HDF\r\n\x1a\n", Kind("HDF5 file", (".h5",))),
    (b"ZISRAWFILE", Kind("Zeiss CZI file", (".czi",))),
    (b"\xda\xce\xbe\x0a", Kind("Nikon ND2 file", (".nd2",))),
    (b"\x70\0\0\0", Kind("Leica LIF file", (".lif",))),
    (b"8BPS", Kind("Photoshop file", (".psd",))),
    (b"\0\0\0\x0cjP  ", _JPEG_2000),
    (b"\xff\x4f\xff\x51", _JPEG_2000),
    (b"\0\0\0\x0cJXL ", _JPEG_XL),
    (b"\xff\x0a", _JPEG_XL),
    (b"SIMPLE  =", Kind("FITS file", (".fits",))),
    (b"BM", _BMP),
)
_BRANDS = {  # of an ISO media file, behind "ftyp"
    b"avif": Kind("AVIF picture", (".avif",)),
    b"heic": _HEIF,
    b"heix": _HEIF,
    b"mif1": _HEIF,
}
_MOVIE = Kind("movie", (".mp4",))


def kind_of(head: bytes) -> Kind | None:
    """What a file that begins with `head` is, or None for an unknown one."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], _MOVIE)
    if head[128:132] == b"DICM":
        return Kind("DICOM file", (".dcm",))
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def check_kind(path: FilePath, head: bytes, name: str) -> None:
    """Raise a `ReadError` that says what the file is instead, unless it begins as a file of kind `name` does.

    Parameters
    ----------
    path
        The file; only its name is looked at.
    head
        Its first `HEAD_SIZE` bytes, or all of it where it is shorter.
    name
        "PNG", "JPEG", "GIF", "BMP", "WebP", "TIFF" or "NPY".

    Raises
    ------
    ReadError
        If the file is something else, empty or unknown.
    """
    kind = kind_of(head)
    if kind is None:
        raise _unknown(head, name)
    if kind.name == name:
        return
    article = "an" if kind.name[0] in "AEIOU" or kind.name.startswith("HDF") else "a"
    extension = os.path.splitext(path)[1].lower()
    suffix = f"named {extension}" if extension else "without an extension"
    if extension in kind.extensions:  # asked for by a name that does not come from the path
        suffix = f"where {name} was expected"
    raise ReadError(f"this is {article} {kind.name} {suffix}", f"rename it so that it ends in {kind.extensions[0]}")


def _unknown(head: bytes, name: str) -> ReadError:
    """Say what a file with an unknown beginning most likely is."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head.strip(b"\0"):
        filling = "holds nothing but zeros, as an unfinished copy does" if head else "is empty"
        return ReadError(f"the file {filling}", COPY_AGAIN)
    if head.startswith(b"\0\5\x16\7"):
        return ReadError("this is a side file of macOS, not a picture", "it can be deleted")
    if text.startswith(b"version https://git-lfs"):
        return ReadError("this is a Git LFS pointer, not the picture", "run git lfs pull")
    if text.startswith((b"<!doctype html", b"<html")):
        return ReadError(f"this is a web page, not a {name}", "download it again: the server sent a page instead")
    if _is_text(head):
        return ReadError(f"this is a text file, not a {name}", "move it elsewhere, or give it its true extension")
    return ReadError(f"this is no {name}: it begins with the bytes {head[:4].hex(' ')}", COPY_AGAIN)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head):  # not merely a letter cut in two by the end of `head`
            return False
        text = head[: error.start].decode()
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
