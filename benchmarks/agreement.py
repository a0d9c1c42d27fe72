"""Comparison of the results of two methods for the same image.

``python -m benchmarks.agreement REFERENCE FILE…`` prints a JSON list. It contains for each file its shape and dtype,
whether both equal those of the reference, and the largest and the mean absolute difference.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]


def read(path: str) -> "Pixels":
    """Read the pixels of a file, without axes of length 1."""
    import numpy as np

    if path.endswith(".tif"):
        import tifffile

        return np.squeeze(tifffile.imread(path))
    import imagecodecs

    return np.squeeze(imagecodecs.imread(path))


def compare(reference: "Pixels", pixels: "Pixels") -> dict[str, Any]:
    """Compare the pixels of a result with the reference."""
    import numpy as np

    same = reference.shape == pixels.shape and reference.dtype == pixels.dtype
    found = {"shape": list(pixels.shape), "dtype": pixels.dtype.name, "same": same}
    if not same:
        return found
    difference = np.abs(reference.astype(np.float64) - pixels)
    return {**found, "max": float(difference.max()), "mean": float(difference.mean())}


if __name__ == "__main__":
    first, *others = sys.argv[1:]
    expected = read(first)
    print(json.dumps([compare(expected, read(path)) for path in others]))
