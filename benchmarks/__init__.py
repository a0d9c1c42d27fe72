"""Benchmarks of imgpool, run as ``python -m benchmarks.bench``.

`bench` compares imgpool with other tools; the other modules with a ``main`` measure one aspect each. To add a tool to
the comparison, add it to `peers`; to add a task, add it to `workloads`.
"""
