"""Contract tests for plug-ins: what every filter, format, engine and model runtime must do.

Subclass a contract in a test module, name the plug-ins, and pytest runs all of its tests::

    from imgpool.testing import FilterContract
    from my_package import posterize


    class TestPosterize(FilterContract):
        filters = (posterize,)

imgpool's own plug-ins pass the same tests. The classes are public, under the same promise as `imgpool.plugins`.
A minor version may add tests that state what the documentation already demands. Importing a contract needs pytest;
nothing else in imgpool does.
"""

import importlib

TYPE_CHECKING = False  # as in `imgpool`
if TYPE_CHECKING:
    from imgpool.testing.engines import EngineContract
    from imgpool.testing.filters import FilterContract
    from imgpool.testing.formats import FormatContract
    from imgpool.testing.images import example_images
    from imgpool.testing.runtimes import RuntimeContract

__all__ = ["EngineContract", "FilterContract", "FormatContract", "RuntimeContract", "example_images"]

_MODULES = {
    "EngineContract": "imgpool.testing.engines",
    "FilterContract": "imgpool.testing.filters",
    "FormatContract": "imgpool.testing.formats",
    "RuntimeContract": "imgpool.testing.runtimes",
    "example_images": "imgpool.testing.images",
}


def __getattr__(name: str) -> object:
    """Import a contract when it is first used, so that its failed assertions show the values compared.

    The import is late because worker processes import functions of this package without pytest.
    """
    if name not in _MODULES:
        raise AttributeError(f"module 'imgpool.testing' has no attribute {name!r}")
    import pytest

    pytest.register_assert_rewrite(*_MODULES.values())
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
