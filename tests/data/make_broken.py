"""Make the broken images the tests need, from the sample images: ``python tests/data/make_broken.py [FOLDER]``.

Each file is named by its defect. Cuts are placed where common readers answer with fewer pages, with black
planes, with an empty array or with half a picture instead of an error: the cases that lose data unseen.
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

SAMPLES = Path(__file__).parents[2] / "sample_images"

OME_XML = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="64" SizeZ="5" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData PlaneCount="5"/></Pixels></Image></OME>"""


def main(folder: Path) -> None:
    """Write every broken file into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    cut(SAMPLES / "landscape.jpg", folder / "truncated.jpg", 0.6)
    cut(SAMPLES / "island.png", folder / "truncated.png", 0.6)
    cut(SAMPLES / "plate" / "well B1.tif", folder / "truncated_lzw.tif", 0.6)
    (folder / "zero_bytes.png").write_bytes(b"")
    (folder / "text.tif").write_text("Plate 7: the images are on the other disk.\n")
    (folder / "no_pages.tif").write_bytes(b"II*\0" + struct.pack("<I", 2**30) + bytes(56))
    write_huge_header(folder / "huge_header.png")
    write_cmyk(folder / "cmyk.jpg")
    write_corrupt_lzw(folder / "corrupt_lzw.tif")
    write_truncated_stack(folder / "truncated_stack.tif")
    write_truncated_ome(folder / "truncated_stack.ome.tif")


def cut(source: Path, target: Path, share: float) -> None:
    """Keep the first `share` of the bytes, as a copy that was interrupted does."""
    content = source.read_bytes()
    target.write_bytes(content[: int(share * len(content))])


def write_huge_header(path: Path) -> None:
    """A PNG of 4 kB, every checksum right, that declares 65,535² pixels: 4 GB once decoded."""
    squeeze = zlib.compressobj(9)
    zeros = squeeze.compress(bytes(8_000_000))[:4039]
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zeros), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_cmyk(path: Path) -> None:
    """A JPEG for print: whole and valid, but its four samples are inks, not red, green, blue and alpha."""
    from PIL import Image

    with Image.open(SAMPLES / "still_life.webp") as image:
        image.resize((160, 120)).convert("CMYK").save(path, quality=85)


def write_corrupt_lzw(path: Path) -> None:
    """A TIFF with a wrecked middle: its length and tags are right, its LZW codes are not."""
    import tifffile

    with tifffile.TiffFile(SAMPLES / "plate" / "well B1.tif") as tiff:
        page = tiff.pages.first
        start, count = page.dataoffsets[0], page.databytecounts[0]
    content = bytearray((SAMPLES / "plate" / "well B1.tif").read_bytes())
    middle = start + count // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(content)


def write_truncated_stack(path: Path) -> None:
    """An ImageJ stack of five pages, cut in the fourth: it still declares five."""
    import tifffile

    tifffile.imwrite(path, _planes(), imagej=True, metadata={"axes": "ZYX"})
    cut(path, path, 0.7)


def write_truncated_ome(path: Path) -> None:
    """An OME-TIFF of five planes, cut where the fourth begins: its XML, in front, still declares five."""
    import tifffile

    with tifffile.TiffWriter(path) as tiff:
        for index, plane in enumerate(_planes()):
            description = OME_XML if index == 0 else None
            tiff.write(plane, description=description, metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as tiff:
        end = tiff.pages[3].offset
    path.write_bytes(path.read_bytes()[:end])


def _planes() -> np.ndarray:
    """The DAPI channel of the sample stack, a quarter of it, (5, 64, 64)."""
    import tifffile

    planes: np.ndarray = tifffile.imread(SAMPLES / "cells.ome.tif")
    return planes[0, :, 80:144, 60:124]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "broken")
