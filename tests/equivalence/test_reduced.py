"""A recipe gives nearly the same result for a photo that is decoded at reduced size."""

import numpy as np
import pytest
import skimage as ski
from PIL import Image as PillowImage

import imgpool
from imgpool.core.part import Part
from imgpool.core.recipe import Recipe
from imgpool.formats.jpeg import JPEG
from tests.support.parts import read_part

PHOTOS = ["astronaut", "coffee", "cat", "rocket", "camera", "immunohistochemistry"]
EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0%b\0\0\0\0\0\0\0"


@pytest.fixture(scope="module", params=PHOTOS)
def photo(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / f"{request.param}.jpg"
    pixels = multiple_of_four(getattr(ski.data, request.param)())
    PillowImage.fromarray(pixels).save(path, quality=90, subsampling="4:2:0", dpi=(2540, 5080))  # microscopic pixels
    return path


def multiple_of_four(pixels):
    """Crop both sides to a multiple of four, as cameras have them."""
    return pixels[: pixels.shape[0] // 4 * 4, : pixels.shape[1] // 4 * 4]


def read_for(recipe, path):
    """Return the part that the recipe needs, and the whole image."""
    return read_part(JPEG, path, recipe.required_part(JPEG.properties(path))[0]), JPEG.read(path)


def psnr(one, other):
    """Return the peak signal-to-noise ratio in dB; above 40, no difference is visible."""
    error = ((one.astype(float) - other) ** 2).mean()
    return 10 * np.log10(255**2 / error)


def assert_similar(recipe, path, *, reduction):
    part, whole = read_for(recipe, path)
    assert round(whole.pixels.shape[0] / part.pixels.shape[0]) == reduction
    one, other = recipe.apply(part), recipe.apply(whole)
    assert one.properties == other.properties
    assert one.metadata == other.metadata
    assert one.metadata.full_size is None
    assert np.abs(one.pixels.astype(float) - other.pixels).mean() < 1
    assert psnr(one.pixels, other.pixels) > 40
    assert abs(one.pixels.mean() - other.pixels.mean()) < 0.2


@pytest.mark.parametrize("factor", [3.6, 3.9, 5.5, 7.2, 8])
def test_linear_resize_of_a_reduced_photo(photo, factor):
    size = int(max(JPEG.properties(photo).shape) / factor)
    recipe = Recipe.from_specs([f"resize:longest={size}"])
    assert_similar(recipe, photo, reduction=2 if factor < 7 else 4)


@pytest.mark.parametrize("factor", [7.2, 8, 10.3, 14.6])
def test_area_resize_of_a_reduced_photo(photo, factor):
    size = int(max(JPEG.properties(photo).shape) / factor)
    recipe = Recipe.from_specs([f"resize:longest={size},interpolation=area"])
    assert_similar(recipe, photo, reduction=2 if factor < 14 else 4)


def test_other_recipes_read_the_whole_photo(photo):
    for steps in (["resize:scale=0.1,interpolation=nearest"], ["resize:scale=0.3"], ["resize:scale=3"],
                  ["unsharp_mask", "resize:scale=0.1"], ["resize:height=50,width=5000"]):  # fmt: skip
        part, whole = read_for(Recipe.from_specs(steps), photo)
        assert part.metadata == whole.metadata
        assert np.array_equal(part.pixels, whole.pixels)


@pytest.mark.parametrize("size", ["longest=100", "scale=0.2", "height=80", "width=71", "height=60,width=80"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_rotated_photos(tmp_path, orientation, size):
    path = tmp_path / "a.jpg"
    picture = PillowImage.fromarray(multiple_of_four(ski.data.cat()))
    picture.save(path, quality=90, dpi=(2540, 5080), exif=b"Exif\0\0" + EXIF % bytes([orientation]))
    assert_similar(Recipe.from_specs(["auto_orient", f"resize:{size}"]), path, reduction=2)


def test_run_reads_the_part_that_the_recipe_needs(photo, tmp_path):
    steps = ["resize:longest=99", "unsharp_mask"]
    (result,) = imgpool.process(photo, output=tmp_path / "out", filters=steps, to="png", engine="serial")
    recipe = Recipe.from_specs(steps)
    part, _ = read_for(recipe, photo)
    assert part.metadata.full_size is not None
    assert np.array_equal(imgpool.read(result.task.target).pixels, recipe.apply(part).pixels)


@pytest.mark.parametrize("interpolation", ["linear", "area"])
def test_reduced_photo_is_not_shifted(tmp_path, interpolation):
    """The centre of gravity of a spot moves by less than 0.02 pixels of the result."""
    size = 300, 412
    y, x = np.mgrid[: size[0], : size[1]]
    for place in ((0.2, 0.3), (0.5, 0.5), (0.83, 0.9)):
        cy, cx = (share * length for share, length in zip(place, size, strict=True))
        spot = 250 * np.exp(-((y + 0.5 - cy) ** 2 + (x + 0.5 - cx) ** 2) / (2 * 12**2))
        PillowImage.fromarray(spot.astype(np.uint8)).save(tmp_path / "a.jpg", quality=100)
        recipe = Recipe.from_specs([f"resize:scale=0.125,interpolation={interpolation}"])
        part = read_part(JPEG, tmp_path / "a.jpg", Part(shrink=4))
        found = [centre(recipe.apply(image).pixels) for image in (part, JPEG.read(tmp_path / "a.jpg"))]
        assert np.abs(np.subtract(*found)).max() < 0.02


def centre(pixels):
    values = np.where(pixels > 8, pixels, 0).astype(float)
    y, x = np.indices(pixels.shape)
    return np.array([(values * y).sum(), (values * x).sum()]) / values.sum()
