"""Code of the worker processes: they run the initializer once, then the function on one task after another.

The pool of the host calls `worker.initialize_worker` and `worker.run_chunk`. The function decides what happens within a
task. A new engine uses `imgpool.engines.shared.results` instead of this package.
"""
