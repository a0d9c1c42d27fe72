"""Filters: `Image` in, `Image` out. One file per family, in scikit-image's words."""
