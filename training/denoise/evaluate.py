"""Measure the denoiser: compared with classical filters, on other noise, its brightness shift and its speed."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.denoise.baselines import BASELINES, best_result, psnr, ssim
from training.denoise.synthetic import IMAGE_SIDE_PX, TEST_SEED, Array, add_noise, draw_image

Denoise = Callable[[Array], Array]

NOISE_LEVELS = (0.03, 0.1, 0.2)
"""Standard deviations of the noise, relative to the range of an image."""

TEST_IMAGE_COUNT = 24
BUNDLED_IMAGES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "text"),
)


@dataclass(frozen=True, slots=True)
class Score:
    """PSNR in dB and SSIM, for one image or averaged over several."""

    psnr: float
    ssim: float


Scores = Mapping[str, Score]
"""The score of each method, by its name."""


def score_test_images(denoise: Denoise) -> dict[float, list[Scores]]:
    """Score each of the synthetic test images, by noise level."""
    images = [draw_image(TEST_SEED + index) for index in range(TEST_IMAGE_COUNT)]
    return {level: [_score(denoise, clean, level) for clean in images] for level in NOISE_LEVELS}


def score_bundled_images(denoise: Denoise, level: float = 0.1) -> dict[str, Scores]:
    """Score the grey central parts of scikit-image's example images, by name."""
    return {name: _score(denoise, _load_bundled(name), level) for name in BUNDLED_IMAGES}


def score_other_noise(denoise: Denoise) -> dict[str, Scores]:
    """Score synthetic images with noise that training did not contain, by kind of noise."""
    images = [draw_image(TEST_SEED + index) for index in range(TEST_IMAGE_COUNT // 3)]
    return {
        kind: mean_scores([_compare(denoise, clean, add(clean, np.random.default_rng(0))) for clean in images])
        for kind, add in OTHER_NOISE.items()
    }


def max_brightness_shift(denoise: Denoise) -> dict[float, float]:
    """Largest change of an image's mean, relative to its range (or to the noise, if that is larger), by noise level."""
    images: list[Array] = [np.full((IMAGE_SIDE_PX, IMAGE_SIDE_PX), light, np.float32) for light in (0.02, 0.2, 1)]
    images += [draw_image(TEST_SEED + index) for index in range(TEST_IMAGE_COUNT)]
    return {level: max(_brightness_shift(denoise, clean, level) for clean in images) for level in NOISE_LEVELS}


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Average the scores of each method."""
    return {
        method: Score(*np.mean([[each[method].psnr, each[method].ssim] for each in scores], axis=0).tolist())
        for method in scores[0]
    }


def seconds_per_megapixel(method: Callable[[Array], object], repeats: int = 3) -> float:
    """CPU seconds for 1024 × 1024 pixels on one core: the minimum of `repeats` measurements."""
    noisy = add_noise(np.tile(draw_image(TEST_SEED), (4, 4)), 0.1, 0.5, 0)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        method(noisy)
        seconds.append(time.process_time() - started)
    return min(seconds)


def _brightness_shift(denoise: Denoise, clean: Array, level: float) -> float:
    noisy = add_noise(clean, level, 0.5, 0)
    return abs(float(denoise(noisy).mean(dtype=float) - noisy.mean(dtype=float))) / max(float(np.ptp(clean)), level)


def _score(denoise: Denoise, clean: Array, level: float) -> Scores:
    return _compare(denoise, clean, add_noise(clean, level, 0.5, 0))


def _compare(denoise: Denoise, clean: Array, noisy: Array) -> Scores:
    results = {"noisy": noisy, "denoise": denoise(noisy)}
    results |= {method: best_result(method, noisy, clean) for method in BASELINES}
    return {method: Score(psnr(result, clean), ssim(result, clean)) for method, result in results.items()}


def _load_bundled(name: str) -> Array:
    """The central part of one of scikit-image's example images, in grey, from 0 to 1."""
    from skimage import color, data

    image = getattr(data, name)()
    image = color.rgb2gray(image[..., :3]) if image.ndim > len("YX") else image / np.iinfo(image.dtype).max
    top, left = (max(0, (length - IMAGE_SIDE_PX) // 2) for length in image.shape)
    return np.asarray(image[top : top + IMAGE_SIDE_PX, left : left + IMAGE_SIDE_PX], np.float32)


def _salt_and_pepper(clean: Array, random: np.random.Generator) -> Array:
    kind = random.choice(3, clean.shape, p=[0.01, 0.01, 0.98])
    return np.choose(kind, [0, 1, clean]).astype(np.float32)


def _correlated(clean: Array, random: np.random.Generator) -> Array:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(random.normal(size=clean.shape), 1)
    return np.asarray(clean + 0.1 * noise / noise.std(), np.float32)


def _rows(clean: Array, random: np.random.Generator) -> Array:
    return (clean + random.normal(0, 0.1, (len(clean), 1))).astype(np.float32)


def _jpeg(clean: Array, random: np.random.Generator) -> Array:
    from PIL import Image

    noisy = np.clip(clean + random.normal(0, 0.05, clean.shape), 0, 1)
    file = io.BytesIO()
    Image.fromarray(np.round(noisy * 255).astype(np.uint8)).save(file, "jpeg", quality=50)
    return np.asarray(Image.open(file), np.float32) / 255


def _few_photons(clean: Array, random: np.random.Generator) -> Array:
    photons = 0.3 / max(float(clean.mean()), 1e-3)
    return (random.poisson(clean * photons) / photons).astype(np.float32)


def _clipped(clean: Array, random: np.random.Generator) -> Array:
    return np.clip(clean + random.normal(0, 0.2, clean.shape), 0, 1).astype(np.float32)


OTHER_NOISE: Mapping[str, Callable[[Array, np.random.Generator], Array]] = {
    "salt and pepper, 2 % of the pixels": _salt_and_pepper,
    "correlated (blurred with σ = 1 pixel), 0.1": _correlated,
    "one offset per row, 0.1": _rows,
    "0.05, then saved as JPEG with quality 50": _jpeg,
    "0.3 photons per pixel": _few_photons,
    "0.2, clipped to the range of the clean image": _clipped,
}
