"""Model runtimes: plug-ins that load a model and compute with it.

To add one, add a module whose ``__all__`` lists an object with the protocol `imgpool.core.model.Runtime`, or register
such an object in your own package under the entry point group ``imgpool.runtimes``. `describe` must not load anything:
it returns a `imgpool.core.model.Model` whose ``runtime`` is the name of the plug-in, or raises
`imgpool.core.errors.UnrecognisedModelError` for a model of another kind. `load` runs once per worker.
Import the library there, never at the top of the module; if it is missing, raise a `RecipeError` that says what to
install. `onnx` is the example; `imgpool.models.packages` reads the files of packages for any runtime.
"""
