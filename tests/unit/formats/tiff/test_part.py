"""Reading a part of a TIFF gives the same as cropping the whole, and decodes nothing else."""

import itertools

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.core.part import Part, Span
from imgpool.formats.tiff import TIFF
from tests.support.parts import read_part

SHAPE = (2, 3, 4, 70, 53)
WINDOWS = {
    "whole planes": (None, None),
    "rows": (Span(17, 34), None),
    "columns": (None, Span(16, 33)),
    "a corner": (Span(60, 70), Span(50, 53)),
    "a pixel": (Span(31, 32), Span(47, 48)),
}
PAGES = {
    "every page": (),
    "one channel": (("C", (1,)),),
    "two slices": (("Z", (3, 0)),),
    "one of each": (("T", (1,)), ("Z", (2,)), ("C", (2,))),
}


def numbers(shape, dtype="uint16"):
    return np.random.default_rng(5).integers(0, 250, shape).astype(dtype)


def write(path, pixels, **options):
    options = {"photometric": "minisblack", "rowsperstrip": 16} | options
    if "tile" in options:
        del options["rowsperstrip"]
    tifffile.imwrite(path, pixels, **options)


def ome(path, axes="TZCYX", **options):
    names = {
        "Channel": {"Name": ["DAPI", "GFP", "Cy5"]},
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeZ": 2.0,
    }
    shape = [SHAPE["TCZYX".index(axis)] for axis in axes]
    write(path, numbers(shape), ome=True, metadata={"axes": axes, "TimeIncrement": 1.5, **names}, **options)


def imagej(path, **options):
    write(path, numbers((2, 4, 3, 70, 53)), imagej=True, byteorder=">",
          metadata={"axes": "TZCYX", "finterval": 2.5, "spacing": 2.0, "unit": "um"}, **options)  # fmt: skip


def pyramid(path):
    pixels = numbers((3, 64, 64))
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(pixels, subifds=1, tile=(16, 16), photometric="minisblack", metadata={"axes": "CYX"})
        tiff.write(pixels[:, ::2, ::2], subfiletype=1, tile=(16, 16), photometric="minisblack")


FLAVOURS = {
    "one strip": lambda path: ome(path, rowsperstrip=70),
    "OME": ome,
    "OME, deflate": lambda path: ome(path, compression="zlib", predictor=True),
    "OME, other order": lambda path: ome(path, "CTZYX", compression="lzw"),
    "OME, big-endian": lambda path: ome(path, byteorder=">"),
    "OME, tiles": lambda path: ome(path, tile=(16, 32), compression="zstd"),
    "OME, plain tiles": lambda path: ome(path, tile=(16, 32)),
    "ImageJ": imagej,
    "ImageJ, deflate": lambda path: imagej(path, compression="zlib"),
    "pyramid": pyramid,
    "plain stack": lambda path: write(path, numbers((5, 70, 53)), metadata=None),
    "plane": lambda path: write(path, numbers((70, 53)), compression="zlib"),
    "float": lambda path: write(path, numbers((4, 70, 53), "float32"), compression="zlib", predictor=3),
    "RGB": lambda path: write(path, numbers((70, 53, 3), "uint8"), photometric="rgb", compression="lzw"),
    "planar RGB": lambda path: write(path, numbers((3, 70, 53), "uint8"), photometric="rgb", planarconfig="separate"),
    "JPEG": lambda path: write(path, numbers((70, 53, 3), "uint8"), photometric="ycbcr",
                               compression="jpeg", tile=(32, 32)),
    "inverted": lambda path: write(path, numbers((70, 53)), photometric="miniswhite", compression="zlib"),
    "bits": lambda path: write(path, numbers((70, 53), "uint8") > 99, compression="packbits"),
    "palette": lambda path: write(path, numbers((70, 53), "uint8"), photometric="palette",
                                  colormap=numbers((3, 256)) * 257),
    "volume": lambda path: write(path, numbers((4, 64, 64)), volumetric=True, tile=(2, 16, 16),
                                 metadata={"axes": "ZYX"}),
}  # fmt: skip


def fits(properties, pages):
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    return all(max(indices) < lengths.get(letter, 0) for letter, indices in pages)


def parts(properties):
    """Yield the parts to try that an image of these properties has."""
    height = properties.shape[properties.axes.index("Y")]
    for (rows, columns), pages in itertools.product(WINDOWS.values(), PAGES.values()):
        if fits(properties, pages) and (rows is None or rows.stop <= height):
            yield Part(rows, columns, pages)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_part_equals_that_part_of_the_whole(tmp_path, flavour):
    path = tmp_path / "a.tif"
    FLAVOURS[flavour](path)
    image, tried = TIFF.read(path), 0
    for part in parts(image.properties):
        expected, found = part.crop(image), read_part(TIFF, path, part)
        assert np.array_equal(found.pixels, expected.pixels), part
        assert found.properties == expected.properties == part.infer_output(image.properties), part
        assert found.pixels.flags.c_contiguous
        assert _plain(found.metadata) == _plain(expected.metadata)
        tried += 1
    assert tried > 3


def _plain(metadata):
    """Return metadata that can be compared, with arrays as lists."""
    named = {name: getattr(metadata, name) for name in metadata.__slots__}
    return {key: str(value) for key, value in (named | dict(metadata.extra)).items() if key != "extra"}


@pytest.mark.parametrize("flavour", ["OME, deflate", "ImageJ, deflate", "OME, tiles"])
def test_only_the_part_is_decoded(tmp_path, flavour):
    """Strips outside the part are overwritten with invalid data."""
    path = tmp_path / "a.tif"
    FLAVOURS[flavour](path)
    part = Part(Span(18, 30), Span(2, 9), (("T", (1,)), ("C", (0,)), ("Z", (2,))))
    expected = part.crop(TIFF.read(path))
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        number = np.ravel_multi_index([{"T": 1, "C": 0, "Z": 2}[axis] for axis in series.axes[:3]], series.shape[:3])
        kept = series.pages[int(number)].dataoffsets[2 if "tiles" in flavour else 1]
        every = [span for page in series.pages for span in zip(page.dataoffsets, page.databytecounts, strict=True)]
    data = bytearray(path.read_bytes())
    for offset, count in every:
        if offset != kept:
            data[offset : offset + count] = b"\xff" * count
    path.write_bytes(data)
    assert np.array_equal(read_part(TIFF, path, part).pixels, expected.pixels)
    with pytest.raises(ReadError, match="damaged"):
        TIFF.read(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("flavour", ["OME", "OME, deflate", "ImageJ"])
def test_truncated_stack_is_refused_whatever_the_part(tmp_path, flavour, share):
    path = tmp_path / "a.tif"
    FLAVOURS[flavour](path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ReadError):
        read_part(TIFF, path, Part(pages=(("T", (0,)), ("C", (0,)), ("Z", (0,)))))
