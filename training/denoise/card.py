"""Write the model card of the denoiser: its description and the measured figures."""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from training.denoise.baselines import BASELINES, load_denoiser
from training.denoise.constants import PACKAGE_FOLDER, WEIGHTS_PATH
from training.denoise.evaluate import (
    NOISE_LEVELS,
    TEST_IMAGE_COUNT,
    Denoise,
    Scores,
    max_brightness_shift,
    mean_scores,
    score_bundled_images,
    score_other_noise,
    score_test_images,
    seconds_per_megapixel,
)
from training.denoise.synthetic import MAX_NOISE, MIN_NOISE

CARD_PATH = PACKAGE_FOLDER / "README.md"

TEMPLATE = """\
# denoise

Removes camera noise from grey-level images: photon (Poisson) noise and read-out (Gaussian) noise of any strength, which
need not be known. Each channel, colour, slice and frame is denoised separately.

    imgpool process IMAGES -r denoise

**Method.** A U-Net with {parameters:,} weights ({size:.0f} kB) estimates the noise, which is then subtracted. The
network has no additive constants (after [Mohan et al. 2020](https://arxiv.org/abs/1906.05478)) and sees only
differences from the local mean. Therefore `a × image + b` gives `a × result + b` for every b and every a > 0: the unit
of the pixels, the bit depth and the camera's offset do not matter, and no statistics of the whole image are needed.
Each result pixel depends only on the pixels within a distance of 64. Therefore tiles give the same result as the whole
image if they start at multiples of 16 and 64 pixels are discarded at each side.

**Training data.** Synthetic images only, no photographs and no micrographs: filaments, spots, cells, clouds (noise
whose amplitude falls with frequency), overlapping shapes, stripes, printed marks, and mixtures of two of them, sharp
and blurred (`training/denoise/synthetic.py`). The noise has a standard deviation of {min_noise}–{max_noise} of an
image's range, from pure read-out noise to pure photon noise. Half of the patches have background light, up to the range
itself.

## Comparison with classical filters

Each classical filter was run with many parameters, and for each image the result closest to the clean image was taken.
Without the clean image, nobody could choose so well. Gaussian filters had σ from 0.4 to 6 pixels. Medians had disks of
radius 0 to 4. Non-local means had patches of 5 pixels within a distance of 6, and h from 0.5 to 2.2 times the σ of
`estimate_sigma`. Wavelet denoising used three families, BayesShrink and VisuShrink, with 0.3 to 2 times that σ. The
denoiser has no parameters. Photon noise is half of the noise variance. The tables show PSNR in dB (the peak is the
image's range) and SSIM; the best PSNR is bold.

Means over {count} synthetic test images of 256 × 256 pixels, which were used neither for training nor for tuning, by
the standard deviation of the noise relative to the image's range:

{test_images}

{verdict} {wins}

Images that come with scikit-image (in grey, the central 256 × 256 pixels), with noise of 0.1:

{bundled}

{bundled_verdict}

## Limitations

The table below shows noise that the training did not contain, on synthetic images. Noise that is correlated between
pixels (cameras with a Bayer mosaic, resized and JPEG images) is mistaken for structure and kept. Hot and dead pixels
are removed only partly (use `median` first). Where light is clipped, the lost brightness cannot be restored.

{other}

Fine texture that is weaker than the noise is smoothed away, as by every filter: on grass and gravel (above), the
denoiser is hardly better than a Gaussian filter. Do not interpret structures of a few pixels in the result that the
noisy image does not show, and do not measure noise or the statistics of single pixels in it.

## Brightness

Largest change of an image's mean, relative to the image's range (or to the noise, in flat images, which have no
range), over {flat} images, three of them flat:

{shift}

## Speed

CPU seconds per megapixel on one core ({machine}): {speed}.

## Reproduction

`python -m training.denoise.train` draws the images, trains, exports the package and writes this card (extra `train`).
"""


def write_card() -> None:
    """Measure the package and write its README.md."""
    denoise = load_denoiser()
    scores_by_level = score_test_images(denoise)
    means = {f"{level}": mean_scores(scores) for level, scores in scores_by_level.items()}
    bundled = score_bundled_images(denoise)
    shift = max_brightness_shift(denoise)
    text = TEMPLATE.format(
        parameters=_count_parameters(),
        size=os.path.getsize(WEIGHTS_PATH) / 1000,
        min_noise=MIN_NOISE,
        max_noise=MAX_NOISE,
        count=TEST_IMAGE_COUNT,
        flat=TEST_IMAGE_COUNT + 3,
        test_images=_score_table("noise", means),
        verdict=_verdict(means, "noise level"),
        wins=_count_wins([scores for level in scores_by_level.values() for scores in level]),
        bundled=_score_table("image", bundled),
        bundled_verdict=_verdict(bundled, "image"),
        other=_score_table("noise", score_other_noise(denoise)),
        shift=_table(
            [
                ["noise", *map(str, NOISE_LEVELS)],
                ["change", *(f"{100 * shift[level]:.2f} %" for level in NOISE_LEVELS)],
            ]
        ),
        machine=_processor_name(),
        speed=_measure_speed(denoise),
    )
    CARD_PATH.write_text(text, "utf-8")


def _score_table(title: str, rows: Mapping[str, Scores]) -> str:
    methods = list(next(iter(rows.values())))
    table = [[title, *(f"`{method}`" if method != "noisy" else method for method in methods)]]
    for name, scores in rows.items():
        best = max(scores, key=lambda method: scores[method].psnr)
        cells = {method: f"{score.psnr:.1f} / {score.ssim:.3f}" for method, score in scores.items()}
        cells[best] = f"**{cells[best]}**"
        table.append([name, *cells.values()])
    return _table(table)


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *body])


def _verdict(rows: Mapping[str, Scores], kind: str) -> str:
    """Say whether the denoiser has the best PSNR in every row, or else where it does not."""
    lost = [
        f"{name} (`{method}` by {scores[method].psnr - scores['denoise'].psnr:.1f} dB)"
        for name, scores in rows.items()
        for method in BASELINES
        if scores[method].psnr > scores["denoise"].psnr
    ]
    if lost:
        return f"By PSNR, a classical filter is better for these: {', '.join(lost)}."
    return f"By PSNR, the denoiser is better than all four at every {kind}."


def _count_wins(scores: list[Scores]) -> str:
    """Say in how many cases each method has the best PSNR."""
    best = [max(each, key=lambda method: each[method].psnr) for each in scores]
    others = ", ".join(f"`{method}` in {best.count(method)}" for method in BASELINES)
    return f"For single images, it is the best in {best.count('denoise')} of {len(scores)} cases ({others})."


def _count_parameters() -> int:
    import onnx

    return sum(int(onnx.numpy_helper.to_array(each).size) for each in onnx.load(WEIGHTS_PATH).graph.initializer)


def _processor_name() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))


def _measure_speed(denoise: Denoise) -> str:
    """Seconds per megapixel by method; the classical filters with typical parameters."""
    from skimage.filters import gaussian, median
    from skimage.morphology import disk
    from skimage.restoration import denoise_nl_means, denoise_wavelet

    methods: dict[str, Denoise] = {
        "denoise": denoise,
        "gaussian": functools.partial(gaussian, sigma=1),
        "median": functools.partial(median, footprint=disk(2)),
        "denoise_nl_means": functools.partial(denoise_nl_means, patch_size=5, patch_distance=6, h=0.1),
        "denoise_wavelet": denoise_wavelet,
    }
    return ", ".join(f"`{name}` {seconds_per_megapixel(method):.2g}" for name, method in methods.items())
