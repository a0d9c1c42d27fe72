"""Neighbourhoods given as parameters: a disk with a radius, or a square with an odd side."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import PixelSize
from imgpool.core.quantity import Length, UpTo

MAX_RADIUS_PX = 2047
"""Largest radius of a disk: time and memory grow with its square."""

MAX_SIZE_PX = 8191
"""Largest side of a square, which takes as long as a small one."""

Footprint = np.ndarray[tuple[int, int], np.dtype[np.bool_]]


def _check_odd(size: int) -> int:
    """Raise ``ValueError`` for an even side: the square would have no centre pixel."""
    if size % 2 == 0:
        raise ValueError("must be odd")
    return size


ODD = AfterValidator(_check_odd)
Radius = Annotated[Length, Field(gt=0), UpTo(MAX_RADIUS_PX)]
Size = Annotated[int, Field(ge=1, le=MAX_SIZE_PX), ODD]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The pixels around a pixel, including the pixel itself.

    Attributes
    ----------
    radius
        Radius of a disk: the largest distance of a pixel's centre from the centre of the disk. None for a square.
    size
        Side of the square in pixels, odd.
    max_radius
        Largest radius of a disk, in pixels.
    """

    radius: Length | None
    size: int = 1
    max_radius: int = MAX_RADIUS_PX

    @classmethod
    def from_parameters(
        cls,
        owner: str,
        radius: Length | None,
        size: int | None,
        default: "Neighbourhood",
        *,
        max_radius: int = MAX_RADIUS_PX,
    ) -> "Neighbourhood":
        """Return the disk or the square that a filter's parameters describe, or the default.

        Parameters
        ----------
        owner
            The filter's name, for messages.

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
        return cls(radius, size or 1, max_radius)

    def reach(self, pixel_size: PixelSize | None) -> int:
        """Return the number of pixels from the centre to the edge, along Y and X.

        Raises
        ------
        FilterError
            If the radius is physical and the pixel size is unknown, or the pixels are not square; or if the radius is
            unreasonably large.
        """
        if self.radius is None:
            return self.size // 2
        radius = self.radius.in_square_pixels(pixel_size)
        if radius > self.max_radius:
            raise FilterError(
                f"a radius of {self.radius} is {radius:.0f} px in this image, above the limit of {self.max_radius} px",
                "check the unit of radius, or resize the image first",
            )
        return int(radius)

    def footprint(self, pixel_size: PixelSize | None) -> Footprint:
        """Return the neighbourhood as a mask with odd sides; raises as `reach` does."""
        reach = self.reach(pixel_size)
        if self.radius is None:
            return np.ones((self.size, self.size), np.bool_)
        y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        return np.asarray(y**2 + x**2 <= self.radius.in_square_pixels(pixel_size) ** 2)
