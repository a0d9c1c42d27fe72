"""The runtime keeps the contract, and computes a convolution."""

from pathlib import Path

import numpy as np
from imgpool_kernel import KERNEL

from imgpool.testing import RuntimeContract

BLUR = Path(__file__).parent / "blur.kernel"


class TestKernel(RuntimeContract):
    runtimes = (KERNEL,)
    packages = (BLUR,)


def test_one_pixel_becomes_the_kernel():
    dot = np.zeros((5, 5), np.float32)
    dot[2, 2] = 16
    session = KERNEL.load(KERNEL.describe(str(BLUR)))
    assert session.predict({"image": dot})["filtered"][1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
