"""The contract of formats."""

import os
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeVar

import numpy as np
import pytest

from imgpool.core.axes import Pixels
from imgpool.core.catalogue import FORMATS
from imgpool.core.errors import ReadError, RecipeError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.format import Format
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.part import Part, Span
from imgpool.system.files import count_open_files
from imgpool.testing.format_images import DTYPES, EXIF, KINDS, example, few_levels, icc_profile, noise

ODD_NAMES = ("-rf", "two\nlines", "cell 🔬 µ", "x" * 240, os.fsdecode(b"\xff\xfe"), "a[0]", "a%d", "#")
NOT_IMAGES = {
    "empty": b"",
    "zeros": b"\0" * 100,
    "table": b"a,b\n1,2\n",
    "web page": b"<!DOCTYPE html><p>404",
    "one byte": b"\x89",
    "binary": bytes(range(190, 250)),
}
Value = TypeVar("Value")
Error = TypeVar("Error", bound=Exception)

LAYOUTS: dict[str, Callable[[Pixels], Pixels]] = {
    "reversed": lambda plain: np.ascontiguousarray(plain[::-1])[::-1],
    "strided": lambda plain: np.repeat(plain, 2, axis=1)[:, ::2],
    "transposed": np.asfortranarray,
    "big-endian": lambda plain: plain.astype(plain.dtype.newbyteorder(">")),
    "read-only": lambda plain: np.frombuffer(plain.tobytes(), plain.dtype).reshape(plain.shape),
}


class FormatContract:
    """Contract of formats: return what was written, name what cannot be stored, and refuse damaged files.

    Attributes
    ----------
    formats
        The formats to test. Set it in the subclass.
    """

    formats: ClassVar[Iterable[Format]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test with every format."""
        if "other" in metafunc.fixturenames:
            pairs = [(each, other) for each in self.formats for other in FORMATS.built_in() if each is not other]
            cases = [pytest.param(each, other, id=f"{other.name}-as-{each.name}") for each, other in pairs]
            metafunc.parametrize(("format_", "other"), cases)
        else:
            metafunc.parametrize("format_", [pytest.param(each, id=each.name) for each in self.formats])

    def test_format_is_found_by_its_name(self, format_: Format) -> None:
        """The catalogue finds it: it is installed, and its entry point has its name."""
        assert FORMATS[format_.name] is format_

    def test_description_fits_the_catalogue(self, format_: Format) -> None:
        """A summary, what it holds as the end of a sentence, and extensions of its own in lower case."""
        assert format_.summary
        assert format_.holds
        assert not format_.holds.endswith(".")
        assert all(each.startswith(".") and each == each.lower() for each in format_.extensions)
        others = {extension for each in FORMATS if each is not format_ for extension in each.extensions}
        assert not others & set(format_.extensions), "another format has the same extension"

    def test_options_are_checked_and_explained(self, format_: Format) -> None:
        """Keyword parameters of ``write`` are the options; the docstring explains each."""
        assert set(format_.validate({})) == {option["name"] for option in format_.describe()}
        with pytest.raises(RecipeError, match="has no parameter 'no_such_option'"):
            format_.validate({"no_such_option": 1})
        for option in format_.describe():
            assert option["meaning"], f"{option['name']} is missing in the Parameters of write()'s docstring"

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_written_pixels_come_back_or_are_refused(self, format_: Format, dtype: str, tmp_path: Path) -> None:
        """Where ``can_hold`` is true, the same dtype, shape, axes and values; else a `WriteError` with a hint."""
        for number, (axes, shape) in enumerate(KINDS):
            image, path = Image(noise(dtype, shape), axes), tmp_path / f"{number}{format_.extensions[0]}"
            if format_.can_hold(image.properties):
                _check_round_trip(format_, image, path)
                continue
            with pytest.raises(WriteError) as refusal:
                format_.write(image, path)
            assert refusal.value.hint, f"{axes} {shape}: a WriteError has no hint"
            assert refusal.value.message
            assert not path.exists(), f"{axes} {shape}: a refused image left a file"

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_memory_layout_does_not_matter(self, format_: Format, layout: str, tmp_path: Path) -> None:
        """Arrays that are strided, reversed, big-endian or read-only give the same file."""
        image = example(format_)
        first, _ = write(format_, image, tmp_path, "plain")
        second, _ = write(format_, image.with_pixels(LAYOUTS[layout](image.pixels)), tmp_path, "view")
        assert first.read_bytes() == second.read_bytes()

    def test_same_image_gives_the_same_bytes(self, format_: Format, tmp_path: Path) -> None:
        """Whatever the file's name, and whenever it is written."""
        image = example(format_, exif=EXIF, description="a cell", dpi=(300.0, 300.0))
        first, _ = write(format_, image, tmp_path, "first")
        second, _ = write(format_, image, tmp_path, "second.ome")
        assert first.read_bytes() == second.read_bytes()

    @pytest.mark.parametrize("axes", ["YX", "YXS"])
    def test_metadata_is_stored_or_reported(self, format_: Format, axes: str, tmp_path: Path) -> None:
        """``write`` returns the names of exactly what does not come back."""
        metadata = Metadata(
            icc=icc_profile(),
            exif=EXIF,
            dpi=(300.0, 150.0),
            description="Zelle 7, 20 °C, µm",
            channel_names=("DAPI",),
            extra=MappingProxyType({"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"}),
        )
        image = Image(few_levels((40, 53, 3)[: len(axes)]), axes, PixelSize(0.325, 0.65), metadata)
        path, not_stored = write(format_, _if_held(format_, image), tmp_path)
        back = format_.read(path)
        stored = {
            "pixel_size": back.pixel_size is not None and np.allclose(back.pixel_size[:2], (0.325, 0.65), rtol=0.01),
            "dpi": back.metadata.dpi is not None and np.allclose(back.metadata.dpi, (300, 150), atol=0.02),
            "icc": back.metadata.icc == metadata.icc,
            "exif": back.metadata.exif is not None and b"TestCam" in back.metadata.exif,
            "description": back.metadata.description == metadata.description,
            "channel_names": back.metadata.channel_names == metadata.channel_names,
            "xmp": back.metadata.extra.get("xmp") == metadata.extra["xmp"],
        }
        assert {name for name, there in stored.items() if not there} == set(not_stored)

    @pytest.mark.parametrize("value", range(1, 9))
    def test_orientation_is_stored_or_refused(self, format_: Format, value: int, tmp_path: Path) -> None:
        """No image loses its orientation: a format without EXIF refuses an image that has one."""
        exif = EXIF[:30] + bytes([value]) + EXIF[31:]
        assert orientation(exif) == value
        path = tmp_path / f"a{format_.extensions[0]}"
        not_stored, refusal = attempt(lambda: format_.write(example(format_, exif=exif), path), WriteError)
        if refusal is None:
            assert orientation(format_.read(path).metadata.exif) == value
        else:
            assert value != 1
            assert not_stored is None
            assert "auto_orient" in refusal.hint, "the hint does not name the filter auto_orient"

    def test_properties_are_those_of_the_image(self, format_: Format, tmp_path: Path) -> None:
        """The properties from the header are those of the image that is read."""
        path, _ = write(format_, example(format_), tmp_path)
        assert format_.properties(path) == format_.read(path).properties

    def test_properties_take_no_memory_for_pixels(self, format_: Format, tmp_path: Path) -> None:
        """They are asked for before imgpool knows whether the image fits into memory."""
        image = example(format_, 3000, 4000)
        image = image.with_pixels(np.zeros_like(image.pixels))
        path, _ = write(format_, image, tmp_path)
        format_.properties(path)  # imports what it needs
        tracemalloc.start()
        try:
            with format_.open(path) as reader:
                assert reader.properties.pixel_count == 12_000_000
            assert tracemalloc.get_traced_memory()[1] < image.pixels.nbytes / 4
        finally:
            tracemalloc.stop()

    def test_reader_gives_the_same_image_twice(self, format_: Format, tmp_path: Path) -> None:
        """An open reader can read more than once."""
        path, _ = write(format_, example(format_), tmp_path)
        with format_.open(path) as reader:
            first, second = reader.read(), reader.read()
            assert reader.properties == first.properties
        np.testing.assert_array_equal(first.pixels, second.pixels)
        assert (first.axes, first.metadata) == (second.axes, second.metadata)

    def test_pixels_read_can_be_changed(self, format_: Format, tmp_path: Path) -> None:
        """They are writeable, C-contiguous and in native byte order."""
        path, _ = write(format_, example(format_), tmp_path)
        pixels = format_.read(path).pixels
        assert pixels.flags.writeable
        assert pixels.dtype.isnative
        assert pixels.flags.c_contiguous

    @pytest.mark.parametrize("axes", ["YX", "YXS", "CZYX", "IYX"])
    def test_part_equals_that_part_of_the_whole(self, format_: Format, axes: str, tmp_path: Path) -> None:
        """Windows and pages, by ``reader.read(part)``."""
        shape = {"YX": (40, 53), "YXS": (40, 53, 3), "CZYX": (2, 3, 40, 53), "IYX": (4, 40, 53)}[axes]
        path, _ = write(format_, _if_held(format_, Image(few_levels(shape), axes)), tmp_path)
        whole, leading = format_.read(path), axes[: axes.index("Y")]
        pages = ((leading[0], (1,)),) if leading and leading in whole.axes else ()
        windows = ((None, None), (Span(3, 20), None), (Span(39, 40), Span(0, 52)))
        for rows, columns in windows:
            part = Part(rows=rows, columns=columns, pages=pages)
            with format_.open(path) as reader:
                found, expected = reader.read(part), part.crop(whole)
            np.testing.assert_array_equal(found.pixels, expected.pixels)
            assert found.properties == expected.properties

    @pytest.mark.parametrize("axes", ["YX", "YXS"])
    def test_shrunk_picture_reports_its_full_size(self, format_: Format, axes: str, tmp_path: Path) -> None:
        """A reader may reduce a picture by up to ``part.shrink``; then it reports the original size."""
        y, x = np.mgrid[:512, :768]
        soft = np.stack([y / 4 + 60, x / 5 + 40, 200 - y / 8], axis=-1).astype(np.uint8)
        image = Image(soft[..., 0] if axes == "YX" else soft // 64 * 64, axes)
        path, _ = write(format_, _if_held(format_, image), tmp_path)
        back = format_.read(path)
        with format_.open(path) as reader:
            assert reader.properties == back.properties
            found = reader.read(Part(shrink=9))
        assert (found.axes, found.pixel_size, found.pixels.dtype) == (back.axes, back.pixel_size, back.pixels.dtype)
        if found.metadata.full_size is None:
            np.testing.assert_array_equal(found.pixels, back.pixels)
            return
        assert found.metadata.full_size == (512, 768)
        assert replace(found.metadata, full_size=None) == back.metadata
        height, width = found.pixels.shape[:2]
        assert 512 / 9 <= height < 512
        assert 512 / height == 768 / width
        assert abs(found.pixels.mean() - back.pixels.mean()) < 0.5

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_file_may_have_any_name(self, format_: Format, name: str, tmp_path: Path) -> None:
        """Names are not interpreted as URLs, patterns or options."""
        image = example(format_)
        path, _ = write(format_, image, tmp_path, name)
        assert format_.read(path).pixels.shape == image.pixels.shape
        assert format_.properties(path).shape == image.pixels.shape
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]

    def test_reader_closes_its_file(self, format_: Format, tmp_path: Path) -> None:
        """Leaving the ``with`` block closes it, also when reading fails."""
        path, _ = write(format_, example(format_), tmp_path)
        before = count_open_files()
        if before is None:
            pytest.skip("this system does not list open files")
        with format_.open(path) as reader:
            assert count_open_files() == before + 1
            reader.read()
        assert count_open_files() == before
        format_.properties(path)
        path.write_bytes(path.read_bytes()[:30])
        with pytest.raises(ReadError):
            format_.read(path)
        assert count_open_files() == before

    def test_truncated_file_is_refused(
        self, format_: Format, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It may be read if only data after the pixels is missing. No library prints anything."""
        path, _ = write(format_, example(format_), tmp_path)
        whole, data = format_.read(path), path.read_bytes()
        for length in (*(len(data) * cut // 20 for cut in range(20)), *(len(data) - missing for missing in (1, 2, 8))):
            path.write_bytes(data[:length])
            back, error = attempt(lambda: format_.read(path), ReadError)
            if back is not None:
                np.testing.assert_array_equal(back.pixels, whole.pixels, f"{length} of {len(data)} bytes")
                assert length > len(data) / 2, f"{length} of {len(data)} bytes were read as an image"
            elif error is not None:
                assert error.hint, f"a ReadError has no hint: {error.message}"
                assert "\n" not in str(error)
        assert capfd.readouterr() == ("", ""), "a library printed something"

    @pytest.mark.parametrize("content", NOT_IMAGES.values(), ids=list(NOT_IMAGES))
    def test_file_that_is_no_image_is_refused(self, format_: Format, content: bytes, tmp_path: Path) -> None:
        """With a `ReadError` that has a hint, and does not repeat the path."""
        path = tmp_path / f"a{format_.extensions[0]}"
        path.write_bytes(content)
        for access in (format_.read, format_.properties):
            with pytest.raises(ReadError) as error:
                access(path)
            assert error.value.hint, f"a ReadError has no hint: {error.value.message}"
            assert str(tmp_path) not in str(error.value)

    def test_file_of_another_format_is_named(self, format_: Format, other: Format, tmp_path: Path) -> None:
        """A PNG named .tif is an error that says so; `wrong_file_error` makes it."""
        path, _ = write(other, example(other), tmp_path)
        wrong = path.rename(tmp_path / f"wrong{format_.extensions[0]}")
        for access in (format_.read, format_.properties):
            with pytest.raises(ReadError, match=rf"(?i)this is an? {other.name} named \{wrong.suffix}") as error:
                access(wrong)
            assert other.extensions[0] in error.value.hint

    def test_missing_file_is_an_os_error(self, format_: Format, tmp_path: Path) -> None:
        """Errors of the operating system pass through unchanged."""
        for access in (format_.read, format_.properties):
            with pytest.raises(FileNotFoundError):
                access(tmp_path / f"gone{format_.extensions[0]}")
            with pytest.raises(IsADirectoryError):
                access(tmp_path)
        with pytest.raises(OSError, match="No such file"):
            format_.write(example(format_), tmp_path / "gone" / "a")


def write(format_: Format, image: Image, folder: Path, name: str = "a") -> tuple[Path, tuple[str, ...]]:
    """Write an image; return its path, and the names of metadata that were not stored."""
    path = folder / f"{name}{format_.extensions[0]}"
    return path, format_.write(image, path)


def attempt(action: Callable[[], Value], expected: type[Error]) -> tuple[Value | None, Error | None]:
    """Return the result of `action` and None, or None and the expected error that it raised."""
    try:
        return action(), None
    except expected as error:
        return None, error


def _check_round_trip(format_: Format, image: Image, path: Path) -> None:
    not_stored = format_.write(image, path)
    back = format_.read(path)
    where = f"{image.axes} {image.pixels.shape}"
    assert back.pixels.dtype == image.pixels.dtype, where
    assert back.pixels.shape == image.pixels.shape, where
    assert back.axes == image.axes or "axes" in not_stored, where
    if not format_.lossy:
        np.testing.assert_array_equal(back.pixels, image.pixels, where)


def _if_held(format_: Format, image: Image) -> Image:
    """Return the image; skip the test if the format cannot hold it."""
    if not format_.can_hold(image.properties):
        pytest.skip("the format cannot hold such an image")
    return image
