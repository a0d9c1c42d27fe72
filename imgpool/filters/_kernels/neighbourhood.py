"""Neighbourhoods: a disk of a radius, or a square of an odd side."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.quantity import Length

LARGEST_RADIUS = 4095  # pixels; beyond, the footprint alone would not fit into memory

Footprint = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("must be odd, so that the square has a middle")
    return size


Radius = Annotated[Length, Field(gt=0)]
Size = Annotated[int, Field(ge=1, le=2 * LARGEST_RADIUS + 1), AfterValidator(_odd)]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The pixels around a pixel, itself included.

    Attributes
    ----------
    radius
        Of a disk; its pixels' centres lie no farther than this from the middle.
    size
        Side of a square, in pixels, where there is no radius.
    """

    radius: Length | None
    size: int = 1

    @classmethod
    def choose(cls, owner: str, radius: Length | None, size: int | None, default: "Neighbourhood") -> "Neighbourhood":
        """The disk or the square asked for, or the default where neither is.

        Raises
        ------
        RecipeError
            If both are given.
        """
        if radius is not None and size is not None:
            raise RecipeError(
                f"{owner} takes a radius (a disk) or a size (a square), not both", f"keep one: {owner}:radius={radius}"
            )
        if radius is None and size is None:
            return default
        return cls(radius, size or 1)

    def reach(self, pixel_size: PixelSize | None) -> int:
        """How many pixels it extends from its middle along Y and X.

        Raises
        ------
        FilterError
            If the radius is physical and the pixels are of unknown size, or not square; or if it is larger
            than can be meant.
        """
        if self.radius is None:
            return self.size // 2
        radius = self.radius.in_square_pixels(pixel_size)
        if radius > LARGEST_RADIUS:
            raise FilterError(
                f"a radius of {self.radius} is {radius:.0f} px here, above the limit of {LARGEST_RADIUS} px",
                "check its unit, or resize the image first",
            )
        return int(radius)

    def footprint(self, pixel_size: PixelSize | None) -> Footprint:
        """The neighbourhood as a mask of odd sides; errors as for `reach`."""
        reach = self.reach(pixel_size)
        if self.radius is None:
            return np.ones((self.size, self.size), np.bool_)
        y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        return np.asarray(y**2 + x**2 <= self.radius.in_square_pixels(pixel_size) ** 2)
