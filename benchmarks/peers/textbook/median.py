"""Filter an image with the median of 5 × 5 pixels, and store it compressed."""

import numpy as np
import tifffile
from skimage import io
from skimage.filters import median


def process(source: str, target: str) -> None:
    """Process one file."""
    filtered = median(io.imread(source), footprint=np.ones((5, 5)))
    tifffile.imwrite(target, filtered, compression="zlib")
