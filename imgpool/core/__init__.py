"""Data types and protocols: images, recipes, filters, formats, engines, tasks and results.

Everything else in imgpool builds on this package, which knows no file format, no filter and no process. The protocols
that plug-ins implement are in `filter`, `format`, `engine` and `model`; plug-in authors import them from
`imgpool.plugins`. `recipe.RESULTS_VERSION` must be increased if a change affects results.
"""
