"""Writing JPEG files."""

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._lost_metadata import not_stored
from imgpool.formats._pillow import encode
from imgpool.formats._resolution import stored_by_resolution
from imgpool.formats.jpeg._segments import metadata_segments, pack_segments, set_resolution

_JFIF_END = 20  # size of the JFIF header at the start of a file, in bytes


def write_image(image: Image, path: FilePath, *, quality: int, subsampling: str, progressive: bool) -> tuple[str, ...]:
    """Write an image; see `Jpeg.write`."""
    if subsampling == "keep":
        subsampling = image.metadata.extra.get("jpeg_subsampling", "4:4:4")
    segments = metadata_segments(image)
    encoded = (
        encode(image.pixels, "JPEG", quality=quality, subsampling=subsampling, progressive=True)
        if progressive
        else _encode_baseline(image.pixels, quality, subsampling)
    )
    header = bytearray(encoded[:_JFIF_END])
    has_resolution = set_resolution(header, image)
    lost = not_stored(image, *segments, *(stored_by_resolution(image) if has_resolution else ()))
    with open(path, "wb") as file:
        file.writelines((header, *pack_segments(segments), memoryview(encoded)[_JFIF_END:]))
    return lost


def _encode_baseline(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Encode to the same bytes as Pillow, without its copies of the pixels."""
    import imagecodecs

    contiguous = np.ascontiguousarray(pixels)
    return bytes(imagecodecs.jpeg8_encode(contiguous, quality, subsampling=subsampling.replace(":", "")))
