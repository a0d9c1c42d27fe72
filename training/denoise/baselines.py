"""Classical filters to compare the denoiser with, the denoiser itself, and measures of image quality."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.denoise.constants import MIN_SIDE_PX, SIDE_STEP_PX, WEIGHTS_PATH
from training.denoise.synthetic import Array


def load_denoiser(weights: Path = WEIGHTS_PATH) -> Callable[[Array], Array]:
    """Load the denoiser with ONNX Runtime, in one thread; it extends images to a valid size by mirroring."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def denoise(noisy: Array) -> Array:
        height, width = noisy.shape
        pad = [(0, max(MIN_SIDE_PX, length + -length % SIDE_STEP_PX) - length) for length in noisy.shape]
        (result,) = session.run(None, {"noisy": np.pad(noisy, pad, mode="symmetric")[None, None]})
        return np.asarray(result[0, 0, :height, :width])

    return denoise


def best_result(method: str, noisy: Array, clean: Array) -> Array:
    """The result of a classical filter with the parameters that bring it closest to the clean image.

    Without the clean image, nobody could choose the parameters so well.
    """
    return min(BASELINES[method](noisy), key=lambda result: float(np.square(result - clean).mean()))


def psnr(result: Array, clean: Array) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the range of `clean`."""
    return float(10 * np.log10(np.ptp(clean) ** 2 / np.square(result - clean).mean()))


def ssim(result: Array, clean: Array) -> float:
    """Structural similarity, up to 1; the data range is that of `clean`."""
    from skimage.metrics import structural_similarity

    similarity: Any = structural_similarity(clean, result, data_range=float(np.ptp(clean)))
    return float(similarity)


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


BASELINES: Mapping[str, Callable[[Array], Iterator[Array]]] = {
    "gaussian": _gaussian,
    "median": _median,
    "denoise_nl_means": _nl_means,
    "denoise_wavelet": _wavelet,
}
"""Results of each filter with a series of parameters."""
