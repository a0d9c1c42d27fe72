"""Filters: functions from `Image` to `Image`, one module per family, named as in scikit-image.

Each public module lists its filters in ``__all__``. To add one, write a function with the decorator
`imgpool.core.filter.image_filter` in the module of its family or in a new module, and declare ``examples``, with which
the contract tests cover it. Authors of plug-ins import the three helpers below from `imgpool.plugins`. `_kernels` and
`_pixels` are private.
"""

TYPE_CHECKING = False  # as in `imgpool`
if TYPE_CHECKING:
    from imgpool.filters._pixels.planes import each_sample, map_colour, weighted_mean

__all__ = ["each_sample", "map_colour", "weighted_mean"]


def __getattr__(name: str) -> object:
    """Import a helper when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'imgpool.filters' has no attribute {name!r}")
    from imgpool.filters._pixels import planes

    return getattr(planes, name)
