"""The bound on speed: a bare process that processes its share of the files with the fastest kernels available.

It has no journal, no progress bar and no safety features, and uses nothing of imgpool. It reuses buffers between
images. The codecs have the fastest settings that are suitable for any image, not only for the measured ones.

``python -m benchmarks.peers.bound WORK INPUT OUTPUT SHARE SHARES`` sorts the files by size, largest first, and
processes those whose index is SHARE modulo SHARES.
"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]

Kernel = Callable[[str, str], None]


def photos() -> Kernel:
    """Decode at half the size, shrink by area averaging, sharpen in 8 bits."""
    import cv2
    import simplejpeg

    def process(source: str, target: str) -> None:
        with open(source, "rb") as file:
            data = file.read()
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        scale = 1024 / max(height, width)
        size = round(width * scale), round(height * scale)
        width, height = (int(1.8 * side) for side in size)  # half the size of a photo of 12 megapixels
        pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, min_factor=2)
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        sharp = cv2.addWeighted(small, 2, cv2.GaussianBlur(small, (0, 0), 1.0), -1, 0)
        encoded = simplejpeg.encode_jpeg(sharp, quality=90, colorspace="RGB", colorsubsampling="420")
        with open(target, "wb") as file:
            file.write(encoded)

    return process


def gaussian() -> Kernel:
    """Blur in float32, in which OpenCV is fastest."""
    import tifffile

    blur = _blur(2.0)
    return lambda source, target: _write_tiff(target, blur(tifffile.imread(source)))


def median() -> Kernel:
    """Median filter by OpenCV, which sorts uint16 values without a histogram."""
    import cv2
    import tifffile

    return lambda source, target: _write_tiff(target, cv2.medianBlur(tifffile.imread(source), 5))


def stretch() -> Kernel:
    """Compute percentiles from a histogram, then subtract and scale in one pass each."""
    import cv2
    import imagecodecs
    import numpy as np
    import tifffile

    def process(source: str, target: str) -> None:
        pixels = tifffile.imread(source)
        counts = np.cumsum(cv2.calcHist([pixels], [0], None, [65536], [0, 65536]).ravel(), dtype=np.int64)
        low, high = np.searchsorted(counts, [0.0035 * pixels.size, 0.9965 * pixels.size])
        stretched = cv2.convertScaleAbs(cv2.subtract(pixels, float(low)), alpha=255 / float(high - low))
        _write_png(target, imagecodecs, stretched)

    return process


def tiny() -> Kernel:
    """Blur in uint8 with the fixed-point arithmetic of OpenCV."""
    import cv2
    import imagecodecs

    def process(source: str, target: str) -> None:
        with open(source, "rb") as file:
            pixels = imagecodecs.png_decode(file.read())
        blurred = cv2.GaussianBlur(pixels, (9, 9), 1.0, borderType=cv2.BORDER_REPLICATE)
        _write_png(target, imagecodecs, blurred)

    return process


KERNELS = {"photos": photos, "gaussian": gaussian, "median": median, "stretch": stretch, "tiny": tiny}


def _blur(sigma: float) -> "Callable[[Pixels], Pixels]":
    import cv2
    import numpy as np

    buffers = dict[tuple[int, ...], tuple["Pixels", "Pixels"]]()
    side = 2 * round(4 * sigma) + 1

    def blur(pixels: "Pixels") -> "Pixels":
        if pixels.shape not in buffers:
            buffers.clear()
            buffers[pixels.shape] = np.empty_like(pixels, np.float32), np.empty_like(pixels, np.float32)
        values, blurred = buffers[pixels.shape]
        np.copyto(values, pixels)
        cv2.GaussianBlur(values, (side, side), sigma, dst=blurred, borderType=cv2.BORDER_REPLICATE)
        np.rint(blurred, out=blurred)
        np.copyto(pixels, blurred, casting="unsafe")
        return pixels

    return blur


def _write_tiff(target: str, pixels: "Pixels") -> None:
    import tifffile

    tifffile.imwrite(
        target, pixels, photometric="minisblack", compression="adobe_deflate", compressionargs={"level": 1},
        rowsperstrip=pixels.shape[0], maxworkers=1,
    )  # fmt: skip


def _write_png(target: str, imagecodecs: Any, pixels: "Pixels") -> None:  # noqa: ANN401 - a module
    """Write a PNG with level 1, run-length encoding and differences to the left neighbour."""
    with open(target, "wb") as file:
        file.write(imagecodecs.png_encode(pixels, level=1, strategy=3, filter=16))


def share(folder: str, number: int, count: int) -> list[str]:
    """Return the paths of one share of the files, which are assigned in turn, largest first."""
    with os.scandir(folder) as entries:
        sizes = sorted((-entry.stat().st_size, entry.name) for entry in entries)
    return [os.path.join(folder, name) for _, name in sizes[number::count]]


def main(work: str, folder: str, output: str, number: str, count: str) -> None:
    """Process one share of the files."""
    import cv2

    cv2.setNumThreads(1)
    process = KERNELS[work]()
    suffix = {"photos": ".jpg", "stretch": ".png", "tiny": ".png"}.get(work, ".tif")
    for source in share(folder, int(number), int(count)):
        stem = os.path.splitext(os.path.basename(source))[0]
        process(source, os.path.join(output, stem + suffix))


if __name__ == "__main__":
    main(*sys.argv[1:])
