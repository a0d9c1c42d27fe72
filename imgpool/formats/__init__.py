"""Image file formats: from files to `Image`, and back.

Each format is one file (`bmp`, `gif`, `npy`) or one package (`jpeg`, `png`, `tiff`, `webp`), whose ``__all__`` lists
its plug-ins. To add a format, add such a file or package; the contract tests find it. The three names below are for
authors of formats, who import them from `imgpool.plugins`. The private modules are helpers that several formats share.

A format package imports its reader and its writer inside `open` and `write`, so that finding a format by its extension
stays fast, and names both in `libraries`, so that workers have them from the start.
"""

TYPE_CHECKING = False  # as in `imgpool`: keeps the start-up fast
if TYPE_CHECKING:
    from imgpool.formats._plugin_helpers import not_stored, truncated_error, wrong_file_error

__all__ = ["not_stored", "truncated_error", "wrong_file_error"]


def __getattr__(name: str) -> object:
    """Import a helper when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'imgpool.formats' has no attribute {name!r}")
    from imgpool.formats import _plugin_helpers

    return getattr(_plugin_helpers, name)
