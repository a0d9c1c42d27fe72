"""Constants that the network, its package and its evaluation share."""

from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parents[2] / "imgpool" / "models" / "built_in" / "denoise"
"""The bioimage.io package that the scripts write."""

WEIGHTS_PATH = PACKAGE_FOLDER / "weights.onnx"

SIDE_STEP_PX = 16
"""Height and width of an input must be multiples of this: the side of the squares of the local mean."""

HALO_PX = 64
"""Radius of the receptive field: farther pixels have no effect on a result."""

MIN_SIDE_PX = 2 * HALO_PX + SIDE_STEP_PX
"""Smallest height and width of an input, so that a part is left between the halos."""
