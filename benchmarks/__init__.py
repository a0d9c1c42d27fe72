"""Benchmarks of imgpool and of other ways to do the same work; run as ``python -m benchmarks.bench``."""
