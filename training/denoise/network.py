"""The network of the denoiser; needs torch.

Blind to the noise level, and without a single additive constant, after Mohan et al. 2020
(https://arxiv.org/abs/1906.05478): `a` times the picture gives `a` times the result, for any a > 0. It sees only
what differs from the local mean, so a constant added to the picture is added to the result. Neither the unit of the
pixels nor the camera's offset matters, and no statistics of the whole image are needed.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.denoise.sizes import STEP

FINE, COARSE = 32, 40


class Denoiser(nn.Module):
    """A small U-Net that estimates the noise and takes it away.

    Three levels, at a half, a quarter and an eighth of the size, with additive skips. Nothing is lost on the way to a
    half: each 2 × 2 pixels become four channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = _convolution(4, FINE)
        self.fine_in = _Residual(FINE)
        self.down_1 = nn.Conv2d(FINE, COARSE, 2, stride=2, bias=False)
        self.middle_in = _Residual(COARSE, layers=1)
        self.down_2 = nn.Conv2d(COARSE, COARSE, 2, stride=2, bias=False)
        self.bottom = _Residual(COARSE)
        self.up_2 = nn.ConvTranspose2d(COARSE, COARSE, 2, stride=2, bias=False)
        self.middle_out = _Residual(COARSE, layers=1)
        self.up_1 = nn.ConvTranspose2d(COARSE, FINE, 2, stride=2, bias=False)
        self.fine_out = _Residual(FINE)
        self.tail = _convolution(FINE, 4)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise pictures of shape (B, 1, Y, X); Y and X are multiples of `STEP`."""
        difference = noisy - _local_mean(noisy)
        fine = self.fine_in(self.head(functional.pixel_unshuffle(difference, 2)))
        middle = self.middle_in(self.down_1(fine))
        bottom = self.bottom(self.down_2(middle))
        middle = self.middle_out(middle + self.up_2(bottom))
        fine = self.fine_out(fine + self.up_1(middle))
        return noisy - functional.pixel_shuffle(self.tail(torch.relu(fine)), 2)


class _Residual(nn.Module):
    """Adds to the input what rounds of ReLU and 3 × 3 convolution make of it."""

    def __init__(self, channels: int, layers: int = 2) -> None:
        super().__init__()
        rounds = [(nn.ReLU(), _convolution(channels, channels)) for _ in range(layers)]
        self.rounds = nn.Sequential(*(part for pair in rounds for part in pair))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.rounds(features)


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _local_mean(pictures: Tensor) -> Tensor:
    """Means of squares of `STEP` pixels, joined by straight lines."""
    means = functional.avg_pool2d(pictures, STEP)
    return functional.interpolate(means, scale_factor=STEP, mode="bilinear", align_corners=False)
