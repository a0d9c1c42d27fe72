"""Constants that the network, its package and its evaluation share."""

from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parents[2] / "imgpool" / "models" / "built_in" / "denoise"
"""The bioimage.io package that the scripts write."""

WEIGHTS = PACKAGE_FOLDER / "weights.onnx"

STEP = 16
"""Height and width of an input must be multiples of this, in pixels: the side of the squares of the local mean."""

HALO = 64
"""Radius of the receptive field in pixels, over all paths through the network."""

MIN_SIDE = 2 * HALO + STEP
"""Smallest height and width of an input, in pixels, that leaves a part between the halos."""
