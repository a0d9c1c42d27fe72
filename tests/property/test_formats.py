"""Any image is stored unchanged by a lossless format, or refused."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import WriteError
from imgpool.core.image import Image, Metadata, PixelSize

LOSSLESS = [name for name in FORMATS.names() if not FORMATS[name].lossy]
DTYPES = st.sampled_from(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4"])
LEADING = ["".join(each) for length in range(4) for each in itertools.permutations("TCZ", length)]
SIZES = st.floats(1e-3, 19.0)
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def images(draw):
    """Draw an image of any dtype and axes, of a small shape, with some metadata."""
    axes = draw(st.sampled_from([*LEADING, "I"])) + "YX" + draw(st.sampled_from(["", "", "S"]))
    shape = tuple(draw(st.integers(2, 4) if axis == "S" else st.integers(1, 6)) for axis in axes)
    pixels = draw(arrays.arrays(draw(DTYPES), shape))
    size = draw(st.none() | st.builds(PixelSize, SIZES, SIZES, SIZES if "Z" in axes else st.none()))
    flavour = draw(st.sampled_from(["", "plain", "ome", "imagej"]))
    description = draw(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20))
    return Image(pixels, axes, size, Metadata(description=description.strip(), flavour=flavour))


def squeezed(axes, pixels):
    """Remove leading axes of length 1, which most formats do not store."""
    kept = [axis for axis in range(pixels.ndim) if axes[axis] in "YXS" or pixels.shape[axis] > 1]
    return "".join(axes[axis] for axis in kept), pixels.reshape([pixels.shape[axis] for axis in kept])


@pytest.mark.parametrize("name", LOSSLESS)
@given(image=images())
@RELAXED
def test_image_is_stored_unchanged_or_refused(name, image):
    target = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{target.extensions[0]}"
        if not target.can_hold(image.properties):
            with pytest.raises(WriteError):
                target.write(image, path)
            return
        lost = target.write(image, path)
        back = target.read(path)
        assert target.properties(path) == back.properties
    assert back.pixels.dtype == image.pixels.dtype
    axes, pixels = squeezed(image.axes, image.pixels)
    back_axes, back_pixels = squeezed(back.axes, back.pixels)
    assert back_axes == axes or "axes" in lost
    np.testing.assert_array_equal(back_pixels, pixels)
    if "pixel_size" not in lost and image.pixel_size is not None:
        assert back.pixel_size is not None
        assert np.allclose(back.pixel_size[:2], image.pixel_size[:2], rtol=1e-2 if name in {"png", "bmp"} else 1e-6)
        assert image.pixel_size.z is None or back.pixel_size.z == pytest.approx(image.pixel_size.z, rel=1e-6)
    if "description" not in lost:
        assert back.metadata.description == image.metadata.description


@given(image=images())
@RELAXED
def test_second_copy_of_a_tiff_is_identical(image):
    """A copy of a copy has the same bytes; the first copy may normalise some metadata."""
    target = FORMATS["tiff"]
    with tempfile.TemporaryDirectory() as folder:
        first, second, third = (Path(folder) / f"{name}.tif" for name in "abc")
        target.write(image, first)
        target.write(target.read(first), second)
        target.write(target.read(second), third)
        assert second.read_bytes() == third.read_bytes()
