"""Formats: bytes to `Image` and back. One file per library family."""
