"""separate_stains and combine_stains: axes, names, alpha, and matrices from files."""

import json

import numpy as np
import pytest

from imgpool.core.catalogue import FILTERS
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata

separate_stains, combine_stains = FILTERS["separate_stains"], FILTERS["combine_stains"]
MATRIX = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
GOOD = {"stains": ["a", "b", "c"], "matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}


@pytest.fixture
def matrix(tmp_path):
    """A file with a stain matrix."""
    file = tmp_path / "stains.json"
    content = {"name": "example", "stains": ["violet", "red", "brown"], "matrix": MATRIX.tolist()}
    file.write_text(json.dumps(content), "utf-8")
    return str(file)


def colours(shape, dtype="uint8"):
    return np.random.default_rng(0).integers(1, 255, shape).astype(dtype)


def test_stains_become_named_channels_without_a_profile(matrix):
    image = Image(colours((2, 5, 6, 3)), "TYXS", metadata=Metadata(icc=b"profile", description="slide 7"))
    separated = separate_stains(image, matrix=matrix)
    assert (separated.axes, separated.pixels.shape) == ("TCYX", (2, 3, 5, 6))
    assert separated.metadata.channel_names == ("violet", "red", "brown")
    assert (separated.metadata.icc, separated.metadata.description) == (None, "slide 7")
    combined = combine_stains(separated, matrix=matrix)
    assert (combined.axes, combined.metadata.channel_names) == ("TYXS", ())


def test_separation_recovers_the_amounts_of_a_mixture(matrix):
    amounts = np.random.default_rng(0).random((6, 7, 3)) * 0.1
    image = Image(np.exp(-13.8155 * amounts @ MATRIX), "YXS")
    separated = separate_stains(image, matrix=matrix)
    np.testing.assert_allclose(np.moveaxis(separated.pixels, 0, -1), amounts, atol=1e-5)
    np.testing.assert_allclose(combine_stains(separated, matrix=matrix).pixels, image.pixels, rtol=1e-4)


def test_white_and_transparent_pixels_have_no_stain():
    pixels = colours((4, 5, 4))
    pixels[0] = 255
    pixels[1, :, 3] = 0
    pixels[2:, :, 3] = 255
    separated = separate_stains(Image(pixels, "YXS")).pixels
    assert not separated[:, :2].any()
    assert np.array_equal(separated[:, 2:], separate_stains(Image(pixels[2:, :, :3], "YXS")).pixels)


def test_premultiplied_colour_is_converted_first():
    straight = np.array([[[200, 100, 50, 51]]], np.uint8)
    premultiplied = np.array([[[40, 20, 10, 51]]], np.uint8)
    image = Image(premultiplied, "YXS", metadata=Metadata(premultiplied=True))
    assert np.array_equal(separate_stains(image).pixels, separate_stains(Image(straight, "YXS")).pixels)
    assert not separate_stains(image).metadata.premultiplied


def test_nan_in_a_sample_gives_nan_in_every_stain():
    pixels = colours((3, 4, 3)) / 255
    pixels[1, 2, 0] = np.nan
    separated = separate_stains(Image(pixels, "YXS"))
    assert np.isnan(separated.pixels).sum() == 3
    assert np.isnan(separated.pixels[:, 1, 2]).all()
    assert np.isnan(combine_stains(separated).pixels).sum() == 3


@pytest.mark.parametrize(("shape", "axes"), [((5, 6), "YX"), ((5, 6, 2), "YXS"), ((2, 5, 6, 3), "CYXS")])
def test_separate_stains_needs_rgb(shape, axes):
    with pytest.raises(FilterError, match="needs RGB"):
        separate_stains(Image(colours(shape), axes))


@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 6), "YX"), ((2, 5, 6), "CYX"), ((3, 5, 6), "ZYX"), ((5, 6, 3), "YXS")]
)
def test_combine_stains_needs_three_channels(shape, axes):
    with pytest.raises(FilterError, match="needs three channels"):
        combine_stains(Image(colours(shape), axes))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not JSON"),
        ("[" * 5000, "is not JSON"),
        ("[]", "must hold the keys"),
        (json.dumps({**GOOD, "matrx": 1}), "must hold the keys"),
        (json.dumps({"matrix": GOOD["matrix"]}), "must hold the keys"),
        (json.dumps({**GOOD, "stains": ["a", "b"]}), "must list three names"),
        (json.dumps({**GOOD, "stains": ["a", "b", ""]}), "must list three names"),
        (json.dumps({**GOOD, "matrix": [[1, 2, 3]] * 2}), "must hold 3 rows of 3 numbers"),
        (json.dumps({**GOOD, "matrix": [[1, 2], [3, 4], [5, 6]]}), "must hold 3 rows of 3 numbers"),
        (json.dumps({**GOOD, "matrix": [[1, 2, "3"], [0, 1, 0], [0, 0, 1]]}), "must hold 3 rows of 3 numbers"),
        (json.dumps({**GOOD, "matrix": [[True, 0, 0], [0, 1, 0], [0, 0, 1]]}), "must hold 3 rows of 3 numbers"),
        (json.dumps({**GOOD, "matrix": [[float("nan"), 0, 0], [0, 1, 0], [0, 0, 1]]}), "not finite"),
        (json.dumps({**GOOD, "matrix": [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]}), "too large"),
        (json.dumps({**GOOD, "matrix": [[1, 2, 3], [2, 4, 6], [0, 0, 1]]}), "cannot be inverted"),
        (json.dumps({**GOOD, "matrix": [[1, 2, 3], [0, 0, 0], [0, 0, 1]]}), "cannot be inverted"),
        (" " * 70000, "not a regular file of at most 64 KiB"),
    ],
)
def test_invalid_matrix_files_are_refused_with_a_reason(tmp_path, text, complaint):
    path = tmp_path / "stains.json"
    path.write_text(text, "utf-8")
    for filter_ in (separate_stains, combine_stains):
        with pytest.raises(RecipeError, match=rf"stains\.json .*{complaint}") as caught:
            filter_.validate({"matrix": str(path)})
        assert caught.value.hint


def test_unknown_matrix_name_is_refused():
    with pytest.raises(RecipeError, match="'hed_from_rgb'"):
        separate_stains.validate({"matrix": "hde_from_rgb"})


def test_matrix_name_takes_precedence_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hed_from_rgb").write_text("no matrix")
    assert separate_stains.validate({"matrix": "hed_from_rgb"}) == {"matrix": "hed_from_rgb"}
