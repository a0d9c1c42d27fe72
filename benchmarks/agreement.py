"""Whether two methods have done the same work: their results for one image, compared.

``python agreement.py REFERENCE FILE…`` prints a JSON list: for each file its shape, its type, whether both are the
reference's, and the largest and the mean difference.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pixels = np.ndarray[Any, np.dtype[Any]]


def read(path: str) -> "Pixels":
    """The pixels of a file, without axes of length 1."""
    import numpy as np

    if path.endswith(".tif"):
        import tifffile

        return np.squeeze(tifffile.imread(path))
    import imagecodecs

    return np.squeeze(imagecodecs.imread(path))


def compare(reference: "Pixels", pixels: "Pixels") -> dict[str, Any]:
    """The differences between a result and the reference."""
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
