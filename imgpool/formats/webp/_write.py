"""Writing WebP files."""

from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._file_writer import write_file
from imgpool.formats._lost_metadata import check_straight_alpha, matching_icc, not_stored
from imgpool.formats._pillow import encode
from imgpool.formats.webp._chunks import PIXEL_KINDS, Header, iter_chunks, join_chunks

DEFAULT_QUALITY = 90
"""Quality of a lossy file for which none is given."""


def write_image(
    image: Image, path: FilePath, *, lossless: bool | None, quality: int | None, method: int
) -> tuple[str, ...]:
    """Write an image; see `Webp.write`."""
    check_straight_alpha(image, "WebP")
    if lossless is None:
        lossless = quality is None and not image.metadata.extra.get("webp_lossy", False)
    metadata = _metadata_chunks(image)
    lost = not_stored(image, *metadata)
    encoded = encode(
        image.pixels, "WEBP", lossless=lossless, quality=_libwebp_quality(quality, lossless=lossless),
        method=method, exact=True,
    )  # fmt: skip
    write_file(path, [_add_metadata(encoded, image, metadata)])
    return lost


def _libwebp_quality(quality: int | None, *, lossless: bool) -> int:
    """Return the quality for libwebp; for lossless files it means effort, which `method` already sets."""
    return 0 if lossless else quality or DEFAULT_QUALITY


def _metadata_chunks(image: Image) -> dict[str, bytes]:
    """Return the bodies of the metadata chunks that the image has, by the name of the metadata."""
    bodies = {"icc": matching_icc(image), "exif": image.metadata.exif, "xmp": image.metadata.extra.get("xmp")}
    return {name: body for name, body in bodies.items() if body}


def _add_metadata(encoded: bytes, image: Image, metadata: dict[str, bytes]) -> bytes:
    """Rebuild an encoded file from its pixels and these metadata chunks."""
    pixels = [chunk for chunk in iter_chunks(encoded) if chunk.kind in PIXEL_KINDS]
    height, width = image.pixels.shape[:2]
    return join_chunks(pixels, Header(width, height, image.has_alpha), metadata)
