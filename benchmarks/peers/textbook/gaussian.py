"""Blur a 16-bit image, and store it compressed."""

import tifffile
from skimage import io
from skimage.filters import gaussian
from skimage.util import img_as_uint


def process(source: str, target: str) -> None:
    """Process one file."""
    blurred = gaussian(io.imread(source), sigma=2)
    tifffile.imwrite(target, img_as_uint(blurred), compression="zlib")
