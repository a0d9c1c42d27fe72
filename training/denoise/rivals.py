"""What the denoiser is compared with: four classical filters at their best, and itself by ONNX Runtime."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.denoise.pictures import Array
from training.denoise.sizes import LEAST, STEP

WEIGHTS = Path(__file__).parent / "weights.onnx"


def ours(weights: Path = WEIGHTS) -> Callable[[Array], Array]:
    """The denoiser, by ONNX Runtime in one thread; what is missing to a size that it takes is mirrored."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def denoise(noisy: Array) -> Array:
        height, width = noisy.shape
        pad = [(0, max(LEAST, length + -length % STEP) - length) for length in noisy.shape]
        (result,) = session.run(None, {"noisy": np.pad(noisy, pad, mode="symmetric")[None, None]})
        return np.asarray(result[0, 0, :height, :width])

    return denoise


def at_its_best(method: str, noisy: Array, clean: Array) -> Array:
    """The result of a classical filter with the parameters, of many, that bring it nearest to the truth.

    Whoever has only the noisy picture cannot choose them so well.
    """
    return min(RIVALS[method](noisy), key=lambda result: float(np.square(result - clean).mean()))


def _gaussian(noisy: Array) -> Iterator[Array]:
    from skimage.filters import gaussian

    for sigma in (0.4, 0.6, 0.8, 1, 1.3, 1.7, 2.2, 3, 4, 6):
        yield gaussian(noisy, sigma, mode="reflect")


def _median(noisy: Array) -> Iterator[Array]:
    from skimage.filters import median
    from skimage.morphology import disk

    yield noisy
    for radius in (1, 2, 3, 4):
        yield median(noisy, disk(radius))


def _nl_means(noisy: Array) -> Iterator[Array]:
    from skimage.restoration import denoise_nl_means, estimate_sigma

    sigma = estimate_sigma(noisy)
    for strength in (0.5, 0.7, 0.9, 1.2, 1.6, 2.2):
        yield denoise_nl_means(
            noisy, patch_size=5, patch_distance=6, h=strength * sigma, sigma=sigma, preserve_range=True
        )


def _wavelet(noisy: Array) -> Iterator[Array]:
    from skimage.restoration import denoise_wavelet, estimate_sigma

    sigma = estimate_sigma(noisy)
    for wavelet in ("db1", "db2", "sym4"):
        for method, strength in itertools.product(("BayesShrink", "VisuShrink"), (0.3, 0.5, 1, 1.4, 2)):
            yield denoise_wavelet(noisy, sigma=strength * sigma, wavelet=wavelet, method=method, mode="soft")


RIVALS: Mapping[str, Callable[[Array], Iterator[Array]]] = {
    "gaussian": _gaussian,
    "median": _median,
    "denoise_nl_means": _nl_means,
    "denoise_wavelet": _wavelet,
}


def psnr(result: Array, clean: Array) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the range of `clean`."""
    return float(10 * np.log10(np.ptp(clean) ** 2 / np.square(result - clean).mean()))


def ssim(result: Array, clean: Array) -> float:
    """Structural similarity, up to 1; the range is that of `clean`."""
    from skimage.metrics import structural_similarity

    similarity: Any = structural_similarity(clean, result, data_range=float(np.ptp(clean)))
    return float(similarity)
