"""How good the denoiser is: against classical filters, on noise it was not made for, in brightness and speed."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.denoise.pictures import UNTOUCHED, Array, clean_picture, noisy_picture
from training.denoise.rivals import RIVALS, at_its_best, psnr, ssim

Denoise = Callable[[Array], Array]
LEVELS = (0.03, 0.1, 0.2)
PICTURES = 24
BUNDLED = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "grass", "gravel"),
    *("hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "text"),
)


@dataclass(frozen=True, slots=True)
class Score:
    """PSNR in dB and SSIM, of one picture or the mean of several."""

    psnr: float
    ssim: float


Scores = Mapping[str, Score]


def on_held_out(denoise: Denoise) -> dict[float, list[Scores]]:
    """Scores by noise level, on each of the drawn pictures that training never saw."""
    pictures = [clean_picture(UNTOUCHED + index) for index in range(PICTURES)]
    return {level: [_scores(denoise, clean, level) for clean in pictures] for level in LEVELS}


def on_bundled(denoise: Denoise, level: float = 0.1) -> dict[str, Scores]:
    """Scores of each method by picture, on the middle of scikit-image's pictures in grey."""
    return {name: _scores(denoise, _bundled(name), level) for name in BUNDLED}


def on_other_noise(denoise: Denoise) -> dict[str, Scores]:
    """Scores by kind of noise that training never saw, on drawn pictures."""
    pictures = [clean_picture(UNTOUCHED + index) for index in range(PICTURES // 3)]
    return {
        kind: mean([_compare(denoise, clean, add(clean, np.random.default_rng(0))) for clean in pictures])
        for kind, add in OTHER_NOISE.items()
    }


def shift_of_brightness(denoise: Denoise) -> dict[float, float]:
    """By noise level: the largest difference between the means before and after, as a part of the noise's range."""
    pictures: list[Array] = [np.full((256, 256), light, np.float32) for light in (0.02, 0.2, 1)]
    pictures += [clean_picture(UNTOUCHED + index) for index in range(PICTURES)]
    return {level: max(_shift(denoise, clean, level) for clean in pictures) for level in LEVELS}


def mean(scores: Sequence[Scores]) -> Scores:
    """Mean scores of each method."""
    return {
        method: Score(*np.mean([[each[method].psnr, each[method].ssim] for each in scores], axis=0).tolist())
        for method in scores[0]
    }


def seconds_per_megapixel(method: Callable[[Array], object], repeats: int = 3) -> float:
    """CPU time for 1024 × 1024 pixels on one core, the least of several rounds."""
    noisy = noisy_picture(np.tile(clean_picture(UNTOUCHED), (4, 4)), 0.1, 0.5, 0)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        method(noisy)
        seconds.append(time.process_time() - started)
    return min(seconds)


def _shift(denoise: Denoise, clean: Array, level: float) -> float:
    noisy = noisy_picture(clean, level, 0.5, 0)
    return abs(float(denoise(noisy).mean(dtype=float) - noisy.mean(dtype=float))) / max(float(np.ptp(clean)), level)


def _scores(denoise: Denoise, clean: Array, level: float) -> Scores:
    return _compare(denoise, clean, noisy_picture(clean, level, 0.5, 0))


def _compare(denoise: Denoise, clean: Array, noisy: Array) -> Scores:
    results = {"noisy": noisy, "denoise": denoise(noisy)}
    results |= {method: at_its_best(method, noisy, clean) for method in RIVALS}
    return {method: Score(psnr(result, clean), ssim(result, clean)) for method, result in results.items()}


def _bundled(name: str) -> Array:
    """The middle 256 × 256 pixels of one of scikit-image's pictures, in grey, from 0 to 1."""
    from skimage import color, data

    picture = getattr(data, name)()
    picture = color.rgb2gray(picture[..., :3]) if picture.ndim > len("YX") else picture / np.iinfo(picture.dtype).max
    top, left = (max(0, (length - 256) // 2) for length in picture.shape)
    return np.asarray(picture[top : top + 256, left : left + 256], np.float32)


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
    "salt and pepper on 2 % of the pixels": _salt_and_pepper,
    "correlated (blurred by σ = 1 pixel), 0.1": _correlated,
    "one offset per row, 0.1": _rows,
    "0.05, then saved as JPEG of quality 50": _jpeg,
    "0.3 photons per pixel": _few_photons,
    "0.2, clipped to the range of the light": _clipped,
}
