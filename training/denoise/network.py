"""The network of the denoiser; needs PyTorch.

It handles any noise level and has no additive constants, after Mohan et al. 2020 (https://arxiv.org/abs/1906.05478):
for any a > 0, `a` times the image gives `a` times the result. It sees only differences from the local mean, so a
constant added to the image is added to the result. Therefore neither the unit of the pixels nor the offset of the
camera matters, and no statistics of the whole image are needed.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.denoise.constants import SIDE_STEP_PX

FINE_CHANNELS, COARSE_CHANNELS = 32, 40


class Denoiser(nn.Module):
    """A small U-Net that estimates the noise and subtracts it.

    It has three levels, at a half, a quarter and an eighth of the image size, with additive skip connections. The
    first downsampling loses nothing: each 2 × 2 pixels become four channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = _convolution(4, FINE_CHANNELS)
        self.fine_in = _Residual(FINE_CHANNELS)
        self.down_1 = nn.Conv2d(FINE_CHANNELS, COARSE_CHANNELS, 2, stride=2, bias=False)
        self.middle_in = _Residual(COARSE_CHANNELS, layers=1)
        self.down_2 = nn.Conv2d(COARSE_CHANNELS, COARSE_CHANNELS, 2, stride=2, bias=False)
        self.bottom = _Residual(COARSE_CHANNELS)
        self.up_2 = nn.ConvTranspose2d(COARSE_CHANNELS, COARSE_CHANNELS, 2, stride=2, bias=False)
        self.middle_out = _Residual(COARSE_CHANNELS, layers=1)
        self.up_1 = nn.ConvTranspose2d(COARSE_CHANNELS, FINE_CHANNELS, 2, stride=2, bias=False)
        self.fine_out = _Residual(FINE_CHANNELS)
        self.tail = _convolution(FINE_CHANNELS, 4)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise images of shape (B, 1, Y, X); Y and X are multiples of `SIDE_STEP_PX`."""
        difference = noisy - _local_mean(noisy)
        fine = self.fine_in(self.head(functional.pixel_unshuffle(difference, 2)))
        middle = self.middle_in(self.down_1(fine))
        bottom = self.bottom(self.down_2(middle))
        middle = self.middle_out(middle + self.up_2(bottom))
        fine = self.fine_out(fine + self.up_1(middle))
        return noisy - functional.pixel_shuffle(self.tail(torch.relu(fine)), 2)


class _Residual(nn.Module):
    """A residual block: its layers are ReLU and a 3 × 3 convolution, and the result is added to the input."""

    def __init__(self, channels: int, layers: int = 2) -> None:
        super().__init__()
        pairs = [(nn.ReLU(), _convolution(channels, channels)) for _ in range(layers)]
        self.rounds = nn.Sequential(*(module for pair in pairs for module in pair))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.rounds(features)


def _convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


def _local_mean(images: Tensor) -> Tensor:
    """Means over squares of `SIDE_STEP_PX` pixels, interpolated linearly."""
    means = functional.avg_pool2d(images, SIDE_STEP_PX)
    return functional.interpolate(means, scale_factor=SIDE_STEP_PX, mode="bilinear", align_corners=False)
