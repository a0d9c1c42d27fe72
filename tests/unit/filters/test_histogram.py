"""match_histograms: channels, ignored pixels and refusals."""

import numpy as np
import pytest

import imgpool
from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError, WorkerError
from imgpool.core.image import Image

match_histograms = FILTERS["match_histograms"]


@pytest.fixture
def reference(tmp_path):
    """Save a reference image and return its path."""

    def save(pixels, axes="YX"):
        imgpool.write(Image(pixels, axes), tmp_path / "reference.ome.tif")
        return str(tmp_path / "reference.ome.tif")

    return save


def noise(shape, dtype="uint16", seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 250, shape).astype(dtype) if np.dtype(dtype).kind in "ui" else rng.random(shape, dtype)


def test_matching_an_image_with_itself_changes_nothing(reference):
    for dtype in ("uint8", "uint16", "float32"):
        pixels = noise((20, 30), dtype)
        assert np.array_equal(match_histograms(Image(pixels, "YX"), reference=reference(pixels)).pixels, pixels)


def test_result_has_the_histogram_of_the_reference(reference):
    pixels, other = np.random.default_rng(0).permutation(600).astype(np.uint16).reshape(20, 30), noise((20, 30), seed=1)
    result = match_histograms(Image(pixels, "YX"), reference=reference(other)).pixels
    assert np.abs(np.sort(result.ravel()).astype(int) - np.sort(other.ravel())).max() <= 2


def test_grey_reference_applies_to_every_channel(reference):
    pixels, path = noise((2, 3, 10, 12)), reference(noise((9, 9), seed=1))
    result = match_histograms(Image(pixels, "CZYX"), reference=path).pixels
    for channel, matched in zip(pixels, result, strict=True):
        assert np.array_equal(matched, match_histograms(Image(channel, "ZYX"), reference=path).pixels)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_nan_and_transparent_pixels_are_ignored(reference, dtype):
    pixels = noise((20, 30, 2), dtype)
    white = 255 if dtype == "uint8" else 1
    pixels[..., 1] = white
    shown = noise((10, 30), dtype, seed=1)
    hidden = np.zeros((20, 30, 2), dtype)
    hidden[10:] = np.stack([shown, np.full_like(shown, white)], -1)  # the upper half is black and transparent
    expected = match_histograms(Image(pixels[..., 0].copy(), "YX"), reference=reference(shown)).pixels
    result = match_histograms(Image(pixels, "YXS"), reference=reference(hidden, "YXS")).pixels
    assert np.array_equal(result[..., 0], expected)
    if dtype == "float32":
        with_nan = np.concatenate([shown, np.full_like(shown, np.nan)])
        assert np.array_equal(
            match_histograms(Image(pixels[..., 0].copy(), "YX"), reference=reference(with_nan)).pixels, expected
        )


def test_infinite_values_become_the_extremes(reference):
    pixels = np.array([[-np.inf, 1, 2, np.inf, np.nan]])
    result = match_histograms(Image(pixels, "YX"), reference=reference(np.array([[10.0, 20.0]]))).pixels
    assert np.array_equal(result, [[10, 10, 20, 20, np.nan]], equal_nan=True)


def test_values_are_clipped_if_the_reference_is_wider(reference):
    result = match_histograms(Image(noise((9, 9), "uint8"), "YX"), reference=reference(noise((9, 9)) + 300)).pixels
    assert (result == 255).all()


@pytest.mark.parametrize(
    ("shape", "axes", "reference_shape", "reference_axes"),
    [
        ((9, 9, 3), "YXS", (9, 9), "YX"),
        ((9, 9), "YX", (9, 9, 3), "YXS"),
        ((3, 9, 9), "CYX", (2, 9, 9), "CYX"),
        ((3, 9, 9), "CYX", (9, 9, 3), "YXS"),
    ],
)
def test_different_channels_are_refused(reference, shape, axes, reference_shape, reference_axes):
    with pytest.raises(FilterError, match=r"the reference has .*, the image") as caught:
        match_histograms(Image(noise(shape), axes), reference=reference(noise(reference_shape), reference_axes))
    assert caught.value.hint


def test_unusable_reference_is_refused(reference, tmp_path):
    with pytest.raises(RecipeError, match="2 channels of 3 samples"):
        match_histograms.validate({"reference": reference(noise((2, 9, 9, 3)), "CYXS")})
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(RecipeError, match="cannot be read"):
        match_histograms.validate({"reference": str(tmp_path / "torn.png")})
    with pytest.raises(WorkerError, match="without a visible, finite pixel"):
        match_histograms.load({"reference": reference(np.full((3, 3), np.nan))})
