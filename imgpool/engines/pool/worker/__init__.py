"""Code of the worker processes: they run the initializer once, then the function on one task after another."""
