"""Model runtimes, and the packages that models come in.

To add a runtime, put a module here whose name has no leading underscore, with an object to the protocol
`imgpool.core.model.Runtime` that ``__all__`` lists (or an entry point in the group ``imgpool.models`` of a package of
your own). It reads a package into a `imgpool.core.model.Model`, whose ``runtime`` is the plug-in's own name, without
loading anything: that happens in ``load``, once in each worker. The library is imported there too, never when the
module is; a missing one is a `RecipeError` that says what to install. ``onnx.py`` is the example, and what it finds out
about packages is of use to any runtime: ``_package.py`` (folder or zip, safely), ``_bioimageio.py`` and
``_bioimageio_4.py`` (descriptions), ``_operations.py`` (processing).

To add a model to the box, put its package as a folder into ``box``; the folder's name is what ``model:path=`` takes.
"""
