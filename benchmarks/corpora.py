"""The benchmark images, generated from a seed: the same pixels on every machine.

- ``photos``: JPEGs of 12 megapixels, as a camera writes them: quality 90, 4:2:0, 3 to 4 MB;
- ``cells``: uncompressed uint16 TIFFs of 2048 × 2048 pixels, as most microscopes save them: a dark background of some
  hundred counts, bright blobs and photon noise;
- ``tiny``: 8-bit PNGs of 64 × 64 pixels;
- ``mixed``: like cells, with three files of 12288 × 12288 pixels and the rest of 2048 × 2048.

Every image has its own seed, so it depends neither on the number of images nor on the process that generates it.
``python -m benchmarks.corpora NAME COUNT FOLDER`` generates one corpus.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]
    Random = np.random.Generator

VERSION = 1
"""Increased when the same seed gives different images."""

SEED = 20
PHOTO_SHAPE = (3000, 4000)
GRAIN = 6.0  # standard deviation of the noise in a photo, in grey levels
BACKGROUND_COUNTS, MAX_BLOB_COUNTS, OFFSET_COUNTS = 180.0, 2500.0, 100.0
HUGE_SIDE_PX, SIDE_PX = 12288, 2048
HUGE_NUMBERS = range(21, 24)
"""Numbers of the huge images in the mixed corpus."""


def make_corpus(name: str, count: int, folder: Path) -> None:
    """Generate the first `count` images of a corpus in a new folder, on every core."""
    partial_folder = folder.with_name(f"{folder.name}.part")
    partial_folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as executor:
        for _ in executor.map(partial(CORPORA[name], partial_folder), range(count), chunksize=max(1, count // 100)):
            pass
    os.replace(partial_folder, folder)


def photo(folder: Path, number: int) -> None:
    """Generate a photo: smooth light, shapes with sharp edges, fine texture and sensor noise."""
    import cv2
    import numpy as np
    import simplejpeg

    cv2.setNumThreads(1)
    random, (height, width) = _random(number), PHOTO_SHAPE
    light = random.standard_normal((6, 8, 3), dtype=np.float32)
    pixels = cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC) * 45 + 120
    for _ in range(60):
        colour = [float(level) for level in random.integers(0, 256, 3)]
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(height // 60, height // 6)), int(random.integers(height // 60, height // 6)))
        cv2.ellipse(pixels, centre, axes, float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    texture = cv2.GaussianBlur(random.standard_normal((height, width), dtype=np.float32), (0, 0), 1.0)
    noise = random.standard_normal((height, width), dtype=np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1.2) + (GRAIN * (2 * texture + noise))[..., np.newaxis]
    encoded = simplejpeg.encode_jpeg(
        np.clip(pixels, 0, 255).astype(np.uint8), quality=90, colorspace="RGB", colorsubsampling="420"
    )
    Path(folder, f"photo-{number:03}.jpg").write_bytes(encoded)


def cells(folder: Path, number: int, side: int = SIDE_PX) -> None:
    """Generate blobs on a dark background, with photon noise whose variance is the number of counts."""
    import cv2
    import numpy as np
    import tifffile

    cv2.setNumThreads(1)
    random = _random(number, side)
    signal = np.full((side, side), BACKGROUND_COUNTS, np.float32)
    for _ in range(max(4, side * side // 20_000)):
        _add_blob(signal, random)
    signal = cv2.GaussianBlur(signal, (0, 0), 1.5)
    counts = signal + np.sqrt(signal) * random.standard_normal(signal.shape, dtype=np.float32)
    pixels = np.clip(np.rint(counts + OFFSET_COUNTS), 0, 65535).astype(np.uint16)
    tifffile.imwrite(Path(folder, f"cells-{side:05}-{number:03}.tif"), pixels, photometric="minisblack")


def tiny(folder: Path, number: int) -> None:
    """Generate a small image like `cells` in 8 bits."""
    import imagecodecs
    import numpy as np

    random, side = _random(number), 64
    signal = np.full((side, side), BACKGROUND_COUNTS, np.float32)
    for _ in range(4):
        _add_blob(signal, random)
    noise = np.sqrt(signal) * random.standard_normal(signal.shape, dtype=np.float32)
    pixels = np.clip((signal + noise) / 12, 0, 255).astype(np.uint8)
    Path(folder, f"tiny-{number:05}.png").write_bytes(imagecodecs.png_encode(pixels, level=6))


def mixed(folder: Path, number: int) -> None:
    """Generate an image like `cells`, which is huge for `HUGE_NUMBERS`."""
    cells(folder, number, HUGE_SIDE_PX if number in HUGE_NUMBERS else SIDE_PX)


CORPORA: dict[str, Callable[[Path, int], None]] = {"photos": photo, "cells": cells, "tiny": tiny, "mixed": mixed}


def _random(*seed: int) -> "Random":
    import numpy as np

    return np.random.default_rng([SEED, *seed])


def _add_blob(signal: "Pixels", random: "Random") -> None:
    """Brighten a disk with a radius of 6 to 20 pixels at a random position."""
    import numpy as np

    radius, brightness = random.uniform(6, 20), random.uniform(0.1, 1) ** 2 * MAX_BLOB_COUNTS
    y, x = random.uniform(0, signal.shape[0]), random.uniform(0, signal.shape[1])
    top, left = max(0, int(y - radius)), max(0, int(x - radius))
    part = signal[top : int(y + radius) + 1, left : int(x + radius) + 1]
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    part[(rows + top - y) ** 2 + (columns + left - x) ** 2 < radius**2] += brightness


if __name__ == "__main__":
    make_corpus(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
