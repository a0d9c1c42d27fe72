"""Names for the types of tifffile's objects; tifffile itself has no type annotations."""

from typing import Any

TiffFile = Any
"""tifffile.TiffFile"""

Series = Any
"""tifffile.TiffPageSeries: the pages of one image."""

Page = Any
"""tifffile.TiffPage"""
