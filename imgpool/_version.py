"""The version of imgpool."""

__version__ = "0.1.0"
