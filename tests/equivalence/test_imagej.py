"""ImageJ reads the same values, dimensions and pixel size from the files that imgpool writes.

Skipped where ImageJ is not installed (Debian: imagej and xvfb).
"""

import subprocess

import numpy as np
import pytest
import tifffile

import imgpool
from imgpool.core.image import Image
from tests.support.tools import is_installed

pytestmark = pytest.mark.skipif(
    not (is_installed("imagej") and is_installed("xvfb-run")), reason="ImageJ and Xvfb are not installed"
)

COMPRESSIONS = ("deflate", "lzw", "packbits", "none")
DTYPES = ("uint8", "uint16", "float32")
ROW, COLUMN = 20, 10
MACRO = f"""
files = getFileList(getArgument());
for (i = 0; i < files.length; i++) {{
    open(getArgument() + files[i]);
    Stack.getDimensions(width, height, channels, slices, frames);
    if (slices * frames * channels > 1) Stack.setPosition(channels, slices, frames);
    getPixelSize(unit, pw, ph, pd);
    value = getPixel({COLUMN}, {ROW});
    if (bitDepth() == 24) value = value & 0xffffff;
    line = files[i] + ";" + bitDepth() + ";" + channels + "," + slices + "," + frames + ";" + d2s(value, 4);
    print(line + ";" + unit + ";" + d2s(pw, 4) + ";" + d2s(pd, 4));
    close();
}}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the pixels that imgpool wrote, and what ImageJ prints about each file, by file name."""
    folder = tmp_path_factory.mktemp("imagej")
    rng = np.random.default_rng(7)
    pixels = {}
    for dtype in DTYPES:
        for compression in COMPRESSIONS:
            name = f"{dtype}-{compression}.tif"
            pixels[name] = rng.integers(0, 250 if dtype == "uint8" else 4000, (50, 60)).astype(dtype)
            imgpool.write(Image.from_array(pixels[name]), folder / name, compression=compression)
    pixels["rgb.tif"] = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    imgpool.write(Image.from_array(pixels["rgb.tif"]), folder / "rgb.tif")
    pixels["hyper.tif"] = rng.integers(0, 4000, (3, 5, 2, 50, 60), dtype=np.uint16)
    source = folder.with_name("hyper.tif")
    metadata = {"axes": "TZCYX", "spacing": 0.5, "unit": "um"}
    tifffile.imwrite(source, pixels["hyper.tif"], imagej=True, resolution=(1 / 0.325, 1 / 0.325), metadata=metadata)
    imgpool.write(imgpool.read(source), folder / "hyper.tif")
    return pixels, _ask_imagej(folder)


def _ask_imagej(folder):
    macro = folder.with_name("look.ijm")
    macro.write_text(MACRO)
    command = ["xvfb-run", "-a", "imagej", "-b", macro, f"{folder}/"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False).stdout
    lines = [line.split(";") for line in printed.splitlines() if line.count(";") == 6]
    return {name: rest for name, *rest in lines}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_imagej_reads_the_same_grey_values(written, dtype, compression):
    pixels, printed = written
    name = f"{dtype}-{compression}.tif"
    assert float(printed[name][2]) == pixels[name][ROW, COLUMN]


def test_imagej_reads_the_same_colours(written):
    pixels, printed = written
    red, green, blue = pixels["rgb.tif"][ROW, COLUMN].astype(int)
    assert printed["rgb.tif"][0] == "24"
    assert float(printed["rgb.tif"][2]) == (red << 16) + (green << 8) + blue


def test_imagej_reads_the_same_hyperstack(written):
    pixels, printed = written
    depth, dimensions, value, unit, width, spacing = printed["hyper.tif"]
    assert (depth, dimensions) == ("16", "2,5,3")
    assert float(value) == pixels["hyper.tif"][-1, -1, -1, ROW, COLUMN]
    assert (unit, width, spacing) == ("microns", "0.3250", "0.5000")
