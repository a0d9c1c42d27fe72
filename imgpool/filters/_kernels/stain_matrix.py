"""Stain matrices: the colours of absorbing dyes, by name or from a JSON file."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgpool.core.dtypes import Floats
from imgpool.core.reference import Reference

STAINS = {
    "hed": ("hematoxylin", "eosin", "dab"),
    "hdx": ("hematoxylin", "dab", "residual"),
    "fgx": ("feulgen", "light green", "residual"),
    "bex": ("methyl blue", "eosin", "residual"),
    "rbd": ("fast red", "fast blue", "dab"),
    "gdx": ("methyl green", "dab", "residual"),
    "hax": ("hematoxylin", "aec", "residual"),
    "bro": ("aniline blue", "azocarmine", "orange g"),
    "bpx": ("methyl blue", "ponceau fuchsin", "residual"),
    "ahx": ("alcian blue", "hematoxylin", "residual"),
    "hpx": ("hematoxylin", "pas", "residual"),
}
"""The stains that scikit-image has a matrix for."""

LARGEST = 64 * 1024
"""Bytes that a matrix may take."""

SINGULAR = 1e-6
"""Determinant of the unit rows below which two stains look alike."""

KEYS = {"name", "stains", "matrix"}


@dataclass(frozen=True, slots=True, eq=False)
class StainMatrix:
    """Three stains and their optical densities.

    Attributes
    ----------
    stains
        Their names.
    densities
        (3, 3): one row for each stain, with its optical density in red, green and blue.
    """

    stains: tuple[str, ...]
    densities: Floats

    @classmethod
    def load(cls, source: str | Reference) -> "StainMatrix":
        """Take a matrix of scikit-image, such as "hed_from_rgb" or "rgb_from_hed", or one from a JSON file.

        Raises
        ------
        ValueError
            If the file is no such matrix; the text follows "FILE: ".
        OSError
            If it cannot be read.
        """
        if isinstance(source, Reference):
            return cls._from_file(source.path)
        import skimage.color

        stains = source.replace("_from_", "").replace("rgb", "")
        return cls(STAINS[stains], np.asarray(getattr(skimage.color, f"rgb_from_{stains}"), np.float64))

    @classmethod
    def _from_file(cls, path: str) -> "StainMatrix":
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise ValueError("is no small text file")
        with open(path, "rb") as file:
            text = file.read()
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("is not JSON") from None
        if not isinstance(data, dict) or not {"stains", "matrix"} <= data.keys() <= KEYS:
            raise ValueError('holds not just "stains", "matrix" and perhaps "name"')
        return cls(_names(data), _densities(data))


def _names(data: Mapping[str, Any]) -> tuple[str, ...]:
    names = data["stains"]
    if not isinstance(names, list) or len(names) != 3 or not all(isinstance(each, str) and each for each in names):  # noqa: PLR2004 - one stain for each of red, green and blue
        raise ValueError('"stains" are not three names')
    return tuple(names)


def _densities(data: Mapping[str, Any]) -> Floats:
    rows = data["matrix"]
    numbers = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == 3 and all(type(each) in {int, float} for each in row)  # noqa: PLR2004 - as above
        for row in rows
    )
    if not numbers or len(rows) != 3:  # noqa: PLR2004 - as above
        raise ValueError('"matrix" is not 3 rows of 3 numbers')
    try:
        matrix = np.array(rows, np.float64)
    except OverflowError:
        raise ValueError('"matrix" holds a number too large to compute with') from None
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError('"matrix" holds a number that is not finite')
    if not lengths.all() or abs(np.linalg.det(matrix / lengths)) < SINGULAR:
        raise ValueError('"matrix" cannot be inverted: two of its stains have the same colour, or one has none')
    return matrix
