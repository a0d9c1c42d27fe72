"""Writing PNG files."""

from imgpool.core.format import FilePath
from imgpool.core.image import Image
from imgpool.formats._file_writer import write_file
from imgpool.formats._lost_metadata import check_straight_alpha, not_stored
from imgpool.formats.png._chunks import pack_chunks
from imgpool.formats.png._encode import FAST_LEVEL, encode, encode_fast
from imgpool.formats.png._metadata import metadata_chunks


def write_image(image: Image, path: FilePath, *, level: int) -> tuple[str, ...]:
    """Write an image; see `Png.write`."""
    check_straight_alpha(image, "PNG")
    chunks, stored = metadata_chunks(image)
    header, blocks = encode_fast(image.pixels) if level == FAST_LEVEL else encode(image.pixels, level)
    write_file(path, [header, pack_chunks(chunks), *blocks])
    return not_stored(image, *stored)
