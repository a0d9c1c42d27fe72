"""Engines: run a function over tasks. They know tasks, never pixels.

`serial` runs in this process and `pool` in worker processes; a new engine goes into a module or package of its own that
lists it in ``__all__``. The two names below are for engine authors, who import them from `imgpool.plugins`.
"""

TYPE_CHECKING = False  # as in `imgpool`: a start needs none of this
if TYPE_CHECKING:
    from imgpool.engines._plugin_helpers import load_state, run_task

__all__ = ["load_state", "run_task"]


def __getattr__(name: str) -> object:
    """Import a helper when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'imgpool.engines' has no attribute {name!r}")
    from imgpool.engines import _plugin_helpers

    return getattr(_plugin_helpers, name)
