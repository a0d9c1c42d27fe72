"""Filters: functions from `Image` to `Image`, one module per family, named as in scikit-image.

A module lists its filters in ``__all__``. To add one, write a function with `imgpool.core.filter.image_filter` in the module
of its family or in a new module, and give it ``examples``; the contract tests then cover it. The three names below are for filter authors, who import them from `imgpool.plugins`. `_kernels` and `_pixels` are
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
