"""Files that filters need beside their parameters (see tests/data/make_references.py)."""

from pathlib import Path

REFERENCES = Path(__file__).parents[1] / "data" / "references"


def reference(name):
    return str(REFERENCES / name)
