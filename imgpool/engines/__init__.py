"""Engines: run a function over tasks, in this process or in others. They know tasks, never pixels.

Each module here is a plug-in module: its ``__all__`` lists the engines it provides (`SERIAL`, `POOL`). Callers use them
by name, through `imgpool.core.catalogue.ENGINES`; the interface is `imgpool.core.engine.Engine`. To add an engine, add
one module or package here, or an entry point in your own package; the contract tests find it. `shared` has what all
engines can use; authors of plug-ins find `load_state` and `run_task` in `imgpool.plugins`.
"""
