"""Imitations of other operating systems: see `imitation`."""

from pathlib import Path

FOLDERS = {name: Path(__file__).with_name(name) for name in ("windows", "macos")}
"""Folder for ``PYTHONPATH`` by the name of the system."""
