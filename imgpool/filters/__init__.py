"""Filters: `Image` in, `Image` out. One file per family, in scikit-image's words.

Each public module lists its filters in ``__all__``; a new filter goes into the module of its family, or into a new one.
The three names below are for filter authors, who import them from `imgpool.plugins`. `_kernels` and `_pixels` are
private.
"""

TYPE_CHECKING = False  # as in `imgpool`: a start needs none of this
if TYPE_CHECKING:
    from imgpool.filters._pixels.planes import each_sample, map_colour, weighted_mean

__all__ = ["each_sample", "map_colour", "weighted_mean"]


def __getattr__(name: str) -> object:
    """Import a helper when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'imgpool.filters' has no attribute {name!r}")
    from imgpool.filters._pixels import planes

    return getattr(planes, name)
