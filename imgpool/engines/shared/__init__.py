"""Helpers that all engines share: calling the function, errors as text, timing, metrics.

A new engine may use all of it. It provides no engine itself.
"""

__all__: list[str] = []
