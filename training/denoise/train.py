"""Train the denoiser and write its package, or measure it and write its card.

From the root of a checkout, with ``pip install .[train]``::

    python -m training.denoise.train               # train, then measure
    python -m training.denoise.train --evaluate    # measure what lies here

Training draws its own pictures and takes about ten minutes of one core. The same seed gives the same weights, with the
same versions and threads on the same kind of processor.
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
from training.denoise.pictures import FAINTEST, STRONGEST, Array, clean_picture, noisy_picture

PICTURES = 1000
BATCH, SIDE = 6, 96
RATE = 2e-3
FALLING_PART, EXACT_PART = 0.3, 0.1
AVERAGED = 0.998
SHOWN = 100


def main() -> None:
    """Read the command line and do what it asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=9000, help="batches to learn from (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="only measure what lies here, and write its card")
    options = parser.parse_args()
    if not options.evaluate:
        torch.set_num_threads(options.threads)
        write_package(train(options.steps, options.seed))
    write_card()


def train(steps: int, seed: int) -> Denoiser:
    """Train a network.

    The last part is computed in full precision; before, convolutions are in bfloat16, which is several times faster.

    Parameters
    ----------
    steps
        How many batches to learn from.
    seed
        Decides the pictures, the noise and the first weights.

    Returns
    -------
    Denoiser
        With weights averaged over the last steps (an exponential moving average).
    """
    torch.manual_seed(seed)
    network = Denoiser()
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    started, losses = time.monotonic(), []
    for step, (noisy, clean, noise) in enumerate(_batches(steps, seed)):
        with torch.autocast("cpu", torch.bfloat16, enabled=step < steps * (1 - EXACT_PART)):
            loss = _loss(network(noisy), clean, noise)
        optimizer.param_groups[0]["lr"] = RATE * min(1, (1 - step / steps) / FALLING_PART)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1)
        optimizer.step()
        _average(average, network, step)
        losses.append(loss.item())
        if step % SHOWN == 0:
            seconds = time.monotonic() - started
            print(f"{step:6} {np.mean(losses[-SHOWN:]):.3f} {seconds:.0f} s", flush=True)  # noqa: T201 - a script
    return average.eval()


def _batches(steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Noisy and clean patches (B, 1, Y, X), and how strong the noise is (B)."""
    random = np.random.default_rng(seed)
    pictures = [clean_picture(index) for index in range(PICTURES)]
    for _ in range(steps):
        patches = [_patch(pictures[random.integers(PICTURES)], random) for _ in range(BATCH)]
        noise = np.exp(random.uniform(np.log(FAINTEST), np.log(STRONGEST), BATCH)).astype(np.float32)
        shot = np.clip(random.uniform(-0.3, 1.3, BATCH), 0, 1)
        seeds = random.integers(2**63, size=BATCH)
        noisy = [noisy_picture(*each) for each in zip(patches, noise, shot, seeds, strict=True)]
        yield _tensor(noisy), _tensor(patches), torch.from_numpy(noise)


def _patch(picture: Array, random: np.random.Generator) -> Array:
    """A square of a picture, turned and mirrored at random, half of them on a pedestal of light."""
    y, x = random.integers(0, np.subtract(picture.shape, SIDE - 1))
    patch = np.rot90(picture[y : y + SIDE, x : x + SIDE], random.integers(4))
    patch = patch.T if random.integers(2) else patch
    return patch + np.float32(max(0, random.uniform(-1, 1)))


def _tensor(patches: list[Array]) -> Tensor:
    return torch.from_numpy(np.stack(patches)[:, None])


def _loss(estimate: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Mean over the batch of the logarithm of the squared error: each noise level counts alike.

    Errors of a thousandth of the noise's variance count as none: empty patches would outweigh all others.
    """
    error = (estimate - clean).square().mean((1, 2, 3)) / noise.square()
    return (error + 1e-3).log().mean()


@torch.no_grad()
def _average(average: Denoiser, network: Denoiser, step: int) -> None:
    weight = min(AVERAGED, step / (step + 10))
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - weight)


if __name__ == "__main__":
    main()
