"""Trained models: descriptions, tiling, pre- and postprocessing, runtimes, and the built-in models.

How they work together is in `imgpool.filters.model`: package → checked `Model` → `ModelPlan` → tiles → result. Public:
`check` (find models and run their published tests), `plan`, `axes`, `tiling`, `processing`, `alpha`, `missing_pixels`
(the steps of the filter), `packages` (read descriptions safely) and `runtimes`.

To add a runtime, add a module to `runtimes`; its docstring says how. To add a built-in model, add its package as a
folder to ``built_in``; ``model:path=`` takes the name of the folder.
"""
