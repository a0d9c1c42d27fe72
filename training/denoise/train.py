"""Train the denoiser and write its package, or only measure it, and write the model card.

From the root of a checkout, after ``pip install -e '.[train]'``::

    python -m training.denoise.train               # train, then measure
    python -m training.denoise.train --evaluate    # only measure the existing package

Training draws its own images and takes about ten minutes on one core. The same seed gives the same weights with the
same versions, the same number of threads and the same kind of processor.
"""

import argparse
import copy
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from training.denoise.card import write_card
from training.denoise.network import Denoiser
from training.denoise.package import write_package
from training.denoise.synthetic import MAX_NOISE, MIN_NOISE, Array, add_noise, draw_image

TRAINING_IMAGE_COUNT = 1000
BATCH_SIZE = 6
PATCH_SIDE_PX = 96
LEARNING_RATE = 2e-3

DECAY_FRACTION = 0.3
"""Fraction of the steps, at the end, during which the learning rate falls to 0."""

FULL_PRECISION_FRACTION = 0.1
"""Fraction of the steps, at the end, that are computed in 32 bits."""

MAX_AVERAGE_WEIGHT = 0.998
"""Weight of the previous average in the moving average of the network's weights."""


MIN_RELATIVE_ERROR = 1e-3
"""Squared error, relative to the noise variance, below which the loss hardly falls any further."""

STEPS_PER_REPORT = 100


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=9000, help="number of batches (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="only measure the existing package and write its card")
    options = parser.parse_args()
    if not options.evaluate:
        torch.set_num_threads(options.threads)
        write_package(train(options.steps, options.seed))
    write_card()


def train(steps: int, seed: int) -> Denoiser:
    """Train a network.

    Convolutions are computed in bfloat16, which is several times faster, except in the last part of the training.

    Parameters
    ----------
    steps
        Number of batches.
    seed
        Determines the patches, the noise and the initial weights.

    Returns
    -------
    Denoiser
        Its weights are an exponential moving average over the last steps.
    """
    torch.manual_seed(seed)
    network = Denoiser()
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    started, losses = time.monotonic(), []
    for step, (noisy, clean, noise) in enumerate(_batches(steps, seed)):
        with torch.autocast("cpu", torch.bfloat16, enabled=step < steps * (1 - FULL_PRECISION_FRACTION)):
            loss = _loss(network(noisy), clean, noise)
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1, (1 - step / steps) / DECAY_FRACTION)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1)
        optimizer.step()
        _update_average(average, network, step)
        losses.append(loss.item())
        if step % STEPS_PER_REPORT == 0:
            seconds = time.monotonic() - started
            print(f"{step:6} {np.mean(losses[-STEPS_PER_REPORT:]):.3f} {seconds:.0f} s", flush=True)  # noqa: T201 - a script
    return average.eval()


def _batches(steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield noisy and clean patches (B, 1, Y, X) and the standard deviations of the noise (B)."""
    random = np.random.default_rng(seed)
    images = [draw_image(index) for index in range(TRAINING_IMAGE_COUNT)]
    for _ in range(steps):
        patches = [_draw_patch(images[random.integers(TRAINING_IMAGE_COUNT)], random) for _ in range(BATCH_SIZE)]
        noise = np.exp(random.uniform(np.log(MIN_NOISE), np.log(MAX_NOISE), BATCH_SIZE)).astype(np.float32)
        shot = np.clip(random.uniform(-0.3, 1.3, BATCH_SIZE), 0, 1)
        seeds = random.integers(2**63, size=BATCH_SIZE)
        noisy = [add_noise(*each) for each in zip(patches, noise, shot, seeds, strict=True)]
        yield _tensor(noisy), _tensor(patches), torch.from_numpy(noise)


def _draw_patch(image: Array, random: np.random.Generator) -> Array:
    """Cut out a square, rotate and mirror it at random, and add background light to half of the patches."""
    y, x = random.integers(0, np.subtract(image.shape, PATCH_SIDE_PX - 1))
    patch = np.rot90(image[y : y + PATCH_SIDE_PX, x : x + PATCH_SIDE_PX], random.integers(4))
    patch = patch.T if random.integers(2) else patch
    return patch + np.float32(max(0, random.uniform(-1, 1)))


def _tensor(patches: list[Array]) -> Tensor:
    return torch.from_numpy(np.stack(patches)[:, None])


def _loss(estimate: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Mean over the batch of the logarithm of the squared error, so that all noise levels have equal weight.

    Errors far below `MIN_RELATIVE_ERROR` have no effect: empty patches would dominate otherwise.
    """
    error = (estimate - clean).square().mean((1, 2, 3)) / noise.square()
    return (error + MIN_RELATIVE_ERROR).log().mean()


@torch.no_grad()
def _update_average(average: Denoiser, network: Denoiser, step: int) -> None:
    """Include the weights of this step in the moving average, which forgets faster at the start."""
    weight = min(MAX_AVERAGE_WEIGHT, step / (step + 10))
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - weight)


if __name__ == "__main__":
    main()
