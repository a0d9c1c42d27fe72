"""Formats: bytes to `Image` and back. One file or one package per format.

Each public module lists its formats in ``__all__``; a new format goes into a module or package of its own. The three
names below are for authors of formats, who import them from `imgpool.plugins`.
"""

TYPE_CHECKING = False  # as in `imgpool`: a start needs none of this
if TYPE_CHECKING:
    from imgpool.formats._plugin_helpers import not_stored, truncated_error, wrong_file_error

__all__ = ["not_stored", "truncated_error", "wrong_file_error"]


def __getattr__(name: str) -> object:
    """Import a helper when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'imgpool.formats' has no attribute {name!r}")
    from imgpool.formats import _plugin_helpers

    return getattr(_plugin_helpers, name)
