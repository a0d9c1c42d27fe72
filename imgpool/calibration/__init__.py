"""Estimate correction images, such as a flat field, from the data."""
