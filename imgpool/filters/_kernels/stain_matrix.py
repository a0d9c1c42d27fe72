"""Stain matrices, which hold the colours of absorbing dyes: those of scikit-image by name, others from JSON files."""

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
"""Names of the stains in each matrix of scikit-image."""

STAIN_COUNT = 3
"""Equal to the number of colour samples, so that the matrix is square and can be inverted."""

MAX_FILE_BYTES = 64 * 1024

MIN_DETERMINANT = 1e-6
"""A matrix whose rows have unit length counts as singular if its determinant is smaller."""

KEYS = {"name", "stains", "matrix"}


@dataclass(frozen=True, slots=True, eq=False)
class StainMatrix:
    """Three stains and their optical densities.

    Attributes
    ----------
    stains
        Names of the stains.
    densities
        (3, 3): one row per stain, its optical density in red, green and blue.
    """

    stains: tuple[str, ...]
    densities: Floats

    @classmethod
    def load(cls, source: str | Reference) -> "StainMatrix":
        """Load a matrix of scikit-image by name, such as "hed_from_rgb" or "rgb_from_hed", or one from a JSON file.

        Raises
        ------
        ValueError
            If the file does not hold a stain matrix. The message continues a sentence that begins with the file.
        OSError
            If the file cannot be read.
        """
        if isinstance(source, Reference):
            return cls._from_file(source.path)
        import skimage.color

        stains = source.replace("_from_", "").replace("rgb", "")
        return cls(STAINS[stains], np.asarray(getattr(skimage.color, f"rgb_from_{stains}"), np.float64))

    @classmethod
    def _from_file(cls, path: str) -> "StainMatrix":
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise ValueError(f"is not a regular file of at most {MAX_FILE_BYTES // 1024} KiB")
        with open(path, "rb") as file:
            text = file.read()
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("is not JSON") from None
        if not isinstance(data, dict) or not {"stains", "matrix"} <= data.keys() <= KEYS:
            raise ValueError('must hold the keys "stains" and "matrix", optionally "name", and no others')
        return cls(_names(data), _densities(data))


def _names(data: Mapping[str, Any]) -> tuple[str, ...]:
    names = data["stains"]
    if not _is_triple(names) or not all(isinstance(name, str) and name for name in names):
        raise ValueError('must list three names under "stains"')
    return tuple(names)


def _densities(data: Mapping[str, Any]) -> Floats:
    rows = data["matrix"]
    if not _is_triple(rows) or not all(_is_triple(row) and all(map(_is_number, row)) for row in rows):
        raise ValueError('must hold 3 rows of 3 numbers under "matrix"')
    try:
        matrix = np.array(rows, np.float64)
    except OverflowError:
        raise ValueError('has a number in "matrix" that is too large') from None
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError('has a number in "matrix" that is not finite')
    if not lengths.all() or abs(np.linalg.det(matrix / lengths)) < MIN_DETERMINANT:
        raise ValueError('has a "matrix" that cannot be inverted: two stains have the same colour, or one has none')
    return matrix


def _is_triple(value: object) -> bool:
    return isinstance(value, list) and len(value) == STAIN_COUNT


def _is_number(value: object) -> bool:
    return type(value) in {int, float}  # and not bool, which is a kind of int
