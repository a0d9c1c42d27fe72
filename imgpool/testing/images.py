"""Images of every kind that a filter may meet, small enough to run a filter over all of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from imgpool.core.axes import Pixels
from imgpool.core.image import Image, Metadata, PixelSize

IMAGE_SIZE = (12, 17)
PIXEL_SIZE = PixelSize(0.5, 0.5, 2.0)
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


def example_images() -> dict[str, Image]:
    """Small images by description: every dtype, with and without alpha, stacks, NaN, constants, single pixels.

    Returns
    -------
    dict
        Some 60 images, new on each call. Keys such as "uint16 grey", "uint8 RGBA" or "float32 one NaN" stay the
        same within a major version.
    """
    images = {f"{dtype} grey": Image(texture(IMAGE_SIZE, dtype), "YX", PIXEL_SIZE) for dtype in DTYPES}
    images["bool grey"] = Image(np.greater(texture(IMAGE_SIZE, "float32"), 0.5), "YX", PIXEL_SIZE)
    images["complex grey"] = Image(texture(IMAGE_SIZE, "complex64"), "YX")
    return images | _with_samples() | _stacks() | _constants_and_small() | _not_finite(images) | _in_odd_memory()


def texture(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Pixels:
    """Soft blobs on a gradient with a little noise: most of the range of an integer dtype, 0 to 1 for floats."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : shape[-2], 0 : shape[-1]]
    values = 0.3 + 0.3 * np.sin(y / 3) * np.cos(x / 4) + 0.2 * x / shape[-1] + 0.15 * rng.random(shape)
    scale = 1.0 if np.dtype(dtype).kind in "fc" else min(np.iinfo(dtype).max, 2**40)
    pixels: Pixels = (values * scale).astype(dtype)
    return pixels


def image_with_samples(axes: str, shape: tuple[int, ...], dtype: str) -> Image:
    """Make an image whose last axis holds samples; alpha, if any, runs from transparent to opaque along X."""
    pixels = np.moveaxis(texture((shape[-1], *shape[:-1]), dtype), 0, -1).copy()
    if shape[-1] in {2, 4}:
        ramp = np.linspace(-0.3, 1.3, shape[-2]).clip(0, 1) * white(pixels.dtype)
        pixels[..., -1] = ramp.astype(dtype)
    return Image(pixels, axes, PIXEL_SIZE)


def with_values(image: Image, *values: tuple[Any, float]) -> Image:
    """Copy an image and set pixels: each of `values` is an index and the value to put there."""
    pixels = image.pixels.copy()
    for index, value in values:
        pixels[index] = value
    return image.with_pixels(pixels)


def white(dtype: np.dtype[Any]) -> int:
    """Return the value of white, or of opaque: the largest integer of the dtype, 1 for floats."""
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


def _with_samples() -> dict[str, Image]:
    images = {
        f"{dtype} {name}": image_with_samples("YXS", (*IMAGE_SIZE, count), dtype)
        for dtype in ("uint8", "uint16", "int16", "float32")
        for name, count in (("LA", 2), ("RGB", 3), ("RGBA", 4))
    }
    rgba = images["uint8 RGBA"]
    images["premultiplied RGBA"] = replace(rgba, metadata=Metadata(premultiplied=True))
    images["transparent RGBA"] = with_values(rgba, (np.s_[..., -1], 0))
    images["opaque RGBA"] = with_values(rgba, (np.s_[..., -1], 255))
    images["float32 RGB NaN"] = with_values(images["float32 RGB"], (np.s_[5, 6, 1], np.nan), (np.s_[0, 0], np.nan))
    images["float32 RGBA NaN"] = with_values(images["float32 RGBA"], (np.s_[5, 6, 1], np.nan))
    return images


def _stacks() -> dict[str, Image]:
    return {
        "uint8 ZYX": Image(texture((3, *IMAGE_SIZE), "uint8"), "ZYX", PIXEL_SIZE),
        "uint8 ZCYX": Image(texture((2, 3, *IMAGE_SIZE), "uint8"), "ZCYX", PIXEL_SIZE),
        "float32 CYX": Image(texture((3, *IMAGE_SIZE), "float32"), "CYX"),
        "uint16 CZYX": Image(texture((2, 3, *IMAGE_SIZE), "uint16"), "CZYX", PIXEL_SIZE),
        "float32 TCYX": Image(texture((2, 2, *IMAGE_SIZE), "float32"), "TCYX"),
        "uint8 TYXS": image_with_samples("TYXS", (2, *IMAGE_SIZE, 3), "uint8"),
    }


def _constants_and_small() -> dict[str, Image]:
    constants = (("uint8", 0), ("uint8", 255), ("uint16", 40000), ("uint32", 2**32 - 1), ("float32", 0.25))
    images = {f"{dtype} all {value}": Image(np.full(IMAGE_SIZE, value, dtype), "YX") for dtype, value in constants}
    for shape in ((1, 1), (1, 7), (7, 1), (2, 2)):
        images[f"uint8 {shape}"] = Image(texture(shape, "uint8"), "YX", PIXEL_SIZE)
        images[f"float32 {shape}"] = Image(texture(shape, "float32"), "YX", PIXEL_SIZE)
    return images


def _not_finite(grey: Mapping[str, Image]) -> dict[str, Image]:
    single, double, half = (grey[f"{dtype} grey"] for dtype in ("float32", "float64", "float16"))
    nan, inf = np.nan, np.inf
    return {
        "float32 one NaN": with_values(single, (np.s_[5, 6], nan)),
        "float64 NaN at edges": with_values(double, (np.s_[0], nan), (np.s_[:, -1], nan)),
        "float16 NaN": with_values(half, (np.s_[3:6, 4:9], nan)),
        "float32 all NaN": with_values(single, (np.s_[:], nan)),
        "float32 inf": with_values(single, (np.s_[5, 6], inf), (np.s_[1, 2], -inf)),
        "float32 negative": Image(np.subtract(texture(IMAGE_SIZE, "float32"), np.float32(0.5)), "YX"),
    }


def _in_odd_memory() -> dict[str, Image]:
    return {
        "oblong pixels": Image(texture(IMAGE_SIZE, "uint16"), "YX", PixelSize(0.5, 1.0)),
        "not contiguous": Image(texture((24, 34), "uint16")[::2, ::-2], "YX", PIXEL_SIZE),
    }
