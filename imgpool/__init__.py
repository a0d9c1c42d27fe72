"""Process folders of scientific images and photos on every core, without losing an image.

The names in ``__all__`` are the public API; authors of plug-ins use `imgpool.plugins` and `imgpool.testing`.

>>> import imgpool
>>> recipe = imgpool.Recipe.from_specs(["gaussian:sigma=2"])
>>> recipe.fingerprint() == imgpool.Recipe.from_specs(["gaussian:sigma=2px"]).fingerprint()
True
"""

import importlib

from imgpool._version import __version__

TYPE_CHECKING = False  # typing.TYPE_CHECKING would import typing, while Ctrl-C is not handled yet
if TYPE_CHECKING:
    from imgpool.api import process
    from imgpool.core.errors import ImgpoolError
    from imgpool.core.image import Image, Metadata, PixelSize
    from imgpool.core.recipe import Recipe
    from imgpool.core.task import Failure, Result, Task
    from imgpool.work.files import read, write

__all__ = [
    "Failure",
    "Image",
    "ImgpoolError",
    "Metadata",
    "PixelSize",
    "Recipe",
    "Result",
    "Task",
    "__version__",
    "process",
    "read",
    "write",
]

_MODULES = {
    "Failure": "imgpool.core.task",
    "Image": "imgpool.core.image",
    "ImgpoolError": "imgpool.core.errors",
    "Metadata": "imgpool.core.image",
    "PixelSize": "imgpool.core.image",
    "Recipe": "imgpool.core.recipe",
    "Result": "imgpool.core.task",
    "Task": "imgpool.core.task",
    "process": "imgpool.api",
    "read": "imgpool.work.files",
    "write": "imgpool.work.files",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import imgpool` alone is fast."""
    if name not in _MODULES:
        raise AttributeError(f"module 'imgpool' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
