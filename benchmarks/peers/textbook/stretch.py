"""Stretch the contrast between two percentiles, and store 8 bits."""

import numpy as np
from skimage import exposure, io
from skimage.util import img_as_ubyte


def process(source: str, target: str) -> None:
    """Process one file."""
    image = io.imread(source)
    low, high = np.percentile(image, (0.35, 99.65))
    stretched = exposure.rescale_intensity(image, in_range=(low, high), out_range=(0.0, 1.0))
    io.imsave(target, img_as_ubyte(stretched), check_contrast=False)
