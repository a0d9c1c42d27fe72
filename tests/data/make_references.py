"""Make the small files that filters lean on in tests: ``python tests/data/make_references.py [FOLDER]``."""

import json
import sys
from pathlib import Path

import numpy as np

STAINS = {
    "name": "made up",
    "stains": ["violet", "red", "brown"],
    "matrix": [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]],
}


def main(folder: Path) -> None:
    """Write every file into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for height, width in ((12, 17), (24, 24), (256, 256)):
        np.save(folder / f"flat_{height}.npy", flat(height, width))
    np.save(folder / "grey.npy", (np.arange(18 * 14).reshape(18, 14) % 97 + 60).astype(np.uint8))
    np.save(folder / "psf.npy", gaussian(5, 7).astype(np.float32))
    (folder / "stains.json").write_text(json.dumps(STAINS, indent=1) + "\n", "utf-8")


def flat(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Light that is brightest a little off the middle, and half as bright in the corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.rint(200 - 50 * ((y - 0.1) ** 2 + (x + 0.2) ** 2)).clip(1, 255).astype(np.uint8)


def gaussian(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A point spread function, wider than high."""
    y, x = np.mgrid[:height, :width]
    return np.exp(-(((y - height // 2) / 0.9) ** 2) - ((x - width // 2) / 1.5) ** 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "references")
