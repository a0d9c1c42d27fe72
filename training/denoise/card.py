"""The card of the denoiser: what it is, and the figures that were measured."""

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from training.denoise.measure import (
    LEVELS,
    PICTURES,
    Denoise,
    Scores,
    mean,
    on_bundled,
    on_held_out,
    on_other_noise,
    seconds_per_megapixel,
    shift_of_brightness,
)
from training.denoise.pictures import FAINTEST, STRONGEST
from training.denoise.rivals import RIVALS, WEIGHTS, ours

CARD = Path(__file__).parent / "README.md"

WORDS = """\
# denoise

Takes the noise of a camera out of grey-level images: of photons counted (Poisson) and of reading out (Gaussian), of
any strength, which need not be known. Each channel, colour, slice and frame is treated by itself.

    imgpool process IMAGES -r denoise

**How it works.** A U-Net of {parameters:,} weights ({size:.0f} kB) estimates the noise, which is then subtracted. It
has no additive constants (after [Mohan et al. 2020](https://arxiv.org/abs/1906.05478)) and sees only what differs from
the local mean. So `a × image + b` gives `a × result + b` for every b and every a > 0: the unit of the pixels, the bit
depth and the camera's offset do not matter, and no statistics of the whole image are needed. Every result pixel
depends on the pixels within 64 of it and on nothing else: tiles with that overlap that start at multiples of 16 give
what the whole image gives.

**What it was trained on.** Drawn pictures only, no photograph and no micrograph: threads, spots, cells, clouds (noise
of falling amplitude with frequency), shapes over shapes, stripes, printed marks, and mixtures of two, sharp and
blurred (`pictures.py`); with noise of standard deviation {faintest}–{strongest} of a picture's range, from all read-out
to all photons, on pedestals of light up to the range itself.

## Compared with classical filters

Each classical filter was run with many parameters, and for every single picture the result nearest to the truth was
taken: better than anyone can choose who has only the noisy picture. Gaussians had σ from 0.4 to 6 pixels; medians,
disks of radius 0 to 4; non-local means, patches of 5 pixels within 6, and h from 0.5 to 2.2 times the σ of
`estimate_sigma`; wavelets, three families, BayesShrink and VisuShrink, at 0.3 to 2 times that σ. The denoiser has no
parameters. Half of the noise's variance is of photons. PSNR in dB (the peak is the picture's range) and SSIM; best
PSNR in bold.

Means over {count} drawn pictures of 256 × 256 that training did not see, nor anybody who tuned it, by the noise's
standard deviation as a part of the range:

{held_out}

{verdict} {won}

Pictures that come with scikit-image (in grey, the middle 256 × 256 pixels), noise of 0.1:

{bundled}

{bundled_verdict}

## Where it fails

Noise that was not in its training, on drawn pictures: what is correlated between pixels (cameras with a Bayer mosaic,
resized and JPEG images) is taken for structure, and kept; of hot and dead pixels a part is left (use `median` before);
where light is clipped, brightness is lost for good.

{other}

Fine texture that is weaker than the noise is smoothed away, as by every filter: on grass and gravel, above, it is
hardly better than a gaussian. In what is left, do not read structures of a few pixels that the noisy image does not
show, and do not measure noise or the statistics of single pixels in it.

## Brightness

The largest change of an image's mean, as a part of its range (or of the noise, in empty images of which there is no
range), over {flat} pictures, three of them flat:

{shift}

## Speed

CPU seconds for a megapixel on one core ({machine}): {speed}.

## Made again

`python -m training.denoise.train` draws the pictures, trains, exports and writes this card (extra `train`).
"""


def write_card() -> None:
    """Measure what lies in this folder, and write README.md from it."""
    denoise = ours()
    pictures = on_held_out(denoise)
    held_out = {f"{level}": mean(scores) for level, scores in pictures.items()}
    bundled = on_bundled(denoise)
    shift = shift_of_brightness(denoise)
    text = WORDS.format(
        parameters=_parameters(),
        size=os.path.getsize(WEIGHTS) / 1000,
        faintest=FAINTEST,
        strongest=STRONGEST,
        count=PICTURES,
        flat=PICTURES + 3,
        held_out=_table("noise", held_out),
        verdict=_verdict(held_out, "level of noise"),
        won=_won([each for scores in pictures.values() for each in scores]),
        bundled=_table("picture", bundled),
        bundled_verdict=_verdict(bundled, "picture"),
        other=_table("noise", on_other_noise(denoise)),
        shift=_rows([["noise", *map(str, LEVELS)], ["shift", *(f"{100 * shift[level]:.2f} %" for level in LEVELS)]]),
        machine=_machine(),
        speed=_speed(denoise),
    )
    CARD.write_text(text, "utf-8")


def _table(title: str, lines: Mapping[str, Scores]) -> str:
    methods = list(next(iter(lines.values())))
    rows = [[title, *(f"`{method}`" if method != "noisy" else method for method in methods)]]
    for name, scores in lines.items():
        best = max(scores, key=lambda method: scores[method].psnr)
        cells = {method: f"{score.psnr:.1f} / {score.ssim:.3f}" for method, score in scores.items()}
        cells[best] = f"**{cells[best]}**"
        rows.append([name, *cells.values()])
    return _rows(rows)


def _rows(rows: Iterable[list[str]]) -> str:
    head, *rest = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rest])


def _verdict(lines: Mapping[str, Scores], kind: str) -> str:
    """Whether the denoiser is the best throughout, or else where it is not."""
    lost = [
        f"{name} ({method} by {scores[method].psnr - scores['denoise'].psnr:.1f} dB)"
        for name, scores in lines.items()
        for method in RIVALS
        if scores[method].psnr > scores["denoise"].psnr
    ]
    if lost:
        return f"By PSNR it does not beat all four at every {kind}: {', '.join(lost)}."
    return f"By PSNR it beats all four at every {kind}."


def _won(scores: list[Scores]) -> str:
    """Which method is the best in how many pictures."""
    best = [max(each, key=lambda method: each[method].psnr) for each in scores]
    others = ", ".join(f"`{method}` in {best.count(method)}" for method in RIVALS)
    return f"Picture by picture, it is the best in {best.count('denoise')} of {len(scores)} cases ({others})."


def _parameters() -> int:
    import onnx

    return sum(int(onnx.numpy_helper.to_array(each).size) for each in onnx.load(WEIGHTS).graph.initializer)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))


def _speed(denoise: Denoise) -> str:
    """Seconds by method, the classical ones with one set of parameters each."""
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
