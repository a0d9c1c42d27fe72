"""Numerics behind the filters: arrays in, arrays out."""
