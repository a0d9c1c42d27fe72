"""TIFF: every way of storing pixels, in files of several programs."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from imgpool.core.errors import ReadError, WriteError
from imgpool.core.exif import orientation
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.tiff import TIFF
from imgpool.formats.tiff._write import choose_flavour
from tests.support.tools import run_tool

RANDOM = np.random.default_rng(5)
GREY = RANDOM.integers(0, 256, (70, 90), np.uint8)
GREY16 = RANDOM.integers(0, 65536, (70, 90), np.uint16)
COLOUR = RANDOM.integers(0, 256, (70, 90, 3), np.uint8)
COLOUR16 = RANDOM.integers(0, 65536, (70, 90, 3), np.uint16)


def rng():
    """Return a generator for each test, so that its numbers do not depend on other tests."""
    return np.random.default_rng(5)


def read(path):
    """Read a file, and check that its header has the same properties."""
    image = TIFF.read(path)
    assert TIFF.properties(path) == image.properties
    return image


def tag(path, name):
    """Return what tifffile reads from the first page."""
    with tifffile.TiffFile(path) as tiff:
        return getattr(tiff.pages[0], name)


@pytest.fixture
def source(tmp_path):
    """Write four pictures for other programs to convert."""
    for name, pixels in {"grey": GREY, "grey16": GREY16, "colour": COLOUR, "colour16": COLOUR16}.items():
        samples = {"photometric": "rgb"} if pixels.ndim == 3 else {"photometric": "minisblack"}
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, metadata=None, **samples)
    return tmp_path


class TestStorage:
    @pytest.mark.parametrize("compression", ["deflate", "lzw", "zstd", "packbits", "none"])
    @pytest.mark.parametrize(
        "pixels", [GREY, GREY16, COLOUR16, GREY16.astype(np.float32) / 7, GREY16.astype(np.int32) - 9]
    )
    @pytest.mark.parametrize("tile", [None, 32])
    def test_every_compression_is_lossless(self, compression, pixels, tile, tmp_path):
        path = tmp_path / "a.tif"
        TIFF.write(Image(pixels, "YXS"[: pixels.ndim]), path, compression=compression, tile=tile)
        np.testing.assert_array_equal(read(path).pixels, pixels)
        with tifffile.TiffFile(path) as tiff:
            assert tiff.pages[0].is_tiled == (tile is not None)
            assert tiff.pages[0].compression.name.lower().replace("adobe_", "") == compression
        np.testing.assert_array_equal(tifffile.imread(path), pixels)

    def test_higher_level_gives_a_smaller_file(self, tmp_path):
        image = Image(np.cumsum(GREY16 % 7, axis=1, dtype=np.uint16), "YX")
        for level in (1, 9):
            TIFF.write(image, tmp_path / f"{level}.tif", level=level)
        assert (tmp_path / "9.tif").stat().st_size < (tmp_path / "1.tif").stat().st_size

    def test_bigtiff_is_written_on_request(self, tmp_path):
        path = tmp_path / "a.tif"
        exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        TIFF.write(Image(GREY16, "YX", PixelSize(0.5, 0.5), Metadata(exif=exif)), path, bigtiff=True)
        assert path.read_bytes()[:4] == b"II+\0"
        image = read(path)
        np.testing.assert_array_equal(image.pixels, GREY16)
        assert orientation(image.metadata.exif) == 6

    @pytest.mark.parametrize("axes", ["ZYX", "TZCYX"])
    @pytest.mark.parametrize("pixels", [GREY16, COLOUR])
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    @pytest.mark.parametrize("tile", [None, (16, 32)])
    def test_both_byte_orders_are_read(self, axes, pixels, byteorder, tile, tmp_path):
        axes += "S" * (pixels.ndim == 3)
        stack = np.stack([pixels, pixels[::-1]]).reshape((2, *[1] * (axes.index("Y") - 1), *pixels.shape))
        photometric = "rgb" if "S" in axes else "minisblack"
        tifffile.imwrite(tmp_path / "a.tif", stack, metadata={"axes": axes}, byteorder=byteorder, tile=tile,
                         photometric=photometric, ome=axes == "TZCYX", compression="zlib")  # fmt: skip
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels.squeeze(), stack.squeeze())

    @pytest.mark.parametrize("shape", [(5, 4, 4), (3, 64, 64), (4, 64, 64), (2, 3, 3)])
    def test_pages_are_not_read_as_colours(self, shape, tmp_path):
        pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
        for dtype in (np.uint8, np.uint16):
            TIFF.write(Image(pixels.astype(dtype), "IYX"), tmp_path / "a.tif")
            image = read(tmp_path / "a.tif")
            assert (image.axes, image.pixels.shape) == ("IYX", shape)
            np.testing.assert_array_equal(image.pixels, pixels.astype(dtype))

    def test_stack_of_unnamed_axes_keeps_its_shape(self, tmp_path):
        stack = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)
        tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
        image = read(tmp_path / "a.tif")
        assert (image.axes, image.pixels.shape) == ("IYX", (6, 8, 9))
        TIFF.write(image, tmp_path / "b.tif")
        assert tifffile.imread(tmp_path / "b.tif").shape == stack.shape

    def test_other_programs_read_the_same_pixels(self, source):
        path = source / "a.tif"
        TIFF.write(Image(COLOUR16, "YXS"), path)
        run_tool("convert", path, "-compress", "none", source / "im.tif")
        np.testing.assert_array_equal(tifffile.imread(source / "im.tif"), COLOUR16)
        run_tool("tiffcp", "-c", "none", path, source / "cp.tif")
        np.testing.assert_array_equal(tifffile.imread(source / "cp.tif"), COLOUR16)


class TestOtherTools:
    def test_deflate_has_no_predictor(self, tmp_path):
        TIFF.write(Image.from_array(GREY16), tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif") as tif:
            assert (tif.pages[0].compression.name, tif.pages[0].predictor) == ("ADOBE_DEFLATE", 1)

    @pytest.mark.parametrize("compression", ["none", "lzw", "zip", "rle"])
    @pytest.mark.parametrize("endian", ["LSB", "MSB"])
    def test_files_of_imagemagick_are_read(self, compression, endian, source):
        for name, pixels in (("colour", COLOUR), ("grey16", GREY16), ("colour16", COLOUR16)):
            run_tool("convert", source / f"{name}.tif", "-compress", compression, "-endian", endian, source / "im.tif")
            np.testing.assert_array_equal(read(source / "im.tif").pixels, pixels)

    @pytest.mark.parametrize("options", [
        "compression=lzw,predictor=horizontal", "compression=zstd,tile", "bigtiff",
        "tile,tile-width=32,tile-height=32,pyramid", "tile,tile-width=32,tile-height=32,pyramid,subifd",
    ])  # fmt: skip
    def test_files_and_pyramid_bases_of_vips_are_read(self, options, source):
        run_tool("vips", "copy", source / "colour.tif", f"{source}/v.tif[{options}]")
        np.testing.assert_array_equal(read(source / "v.tif").pixels, COLOUR)

    @pytest.mark.parametrize("options", [["-c", "lzw:2"], ["-8", "-B"], ["-t", "-w", "32", "-l", "16"], ["-r", "7"]])
    def test_files_of_libtiff_are_read(self, options, source):
        run_tool("tiffcp", *options, source / "colour16.tif", source / "cp.tif")
        np.testing.assert_array_equal(read(source / "cp.tif").pixels, COLOUR16)

    @pytest.mark.parametrize("compression", ["none", "zip:2", "lzw"])
    def test_planar_colours_of_libtiff_are_read(self, compression, source):
        run_tool("tiffcp", "-p", "separate", "-c", compression, source / "colour.tif", source / "cp.tif")
        assert tag(source / "cp.tif", "planarconfig") == 2
        np.testing.assert_array_equal(read(source / "cp.tif").pixels, COLOUR)

    @pytest.mark.parametrize(
        "options",
        [
            "compression=jpeg,Q=95",
            "compression=jpeg,Q=80,tile,tile-width=64,tile-height=64",
            "compression=webp,lossless",
        ],
    )
    def test_jpeg_and_webp_compression_are_read_as_rgb(self, options, source):
        smooth = np.broadcast_to(np.array([200, 100, 20], np.uint8), (70, 90, 3))
        tifffile.imwrite(source / "smooth.tif", smooth, photometric="rgb", metadata=None)
        run_tool("vips", "copy", source / "smooth.tif", f"{source}/v.tif[{options}]")
        inside = read(source / "v.tif").pixels[:64, :64]  # the rest of a tile's edge is padding
        assert np.abs(inside.astype(int) - smooth[:64, :64]).max() <= 4

    def test_pages_of_imagemagick_become_a_stack(self, source):
        run_tool("convert", source / "grey.tif", source / "grey.tif", source / "grey.tif", source / "pages.tif")
        image = read(source / "pages.tif")
        assert image.axes == "IYX"
        np.testing.assert_array_equal(image.pixels, np.stack([GREY] * 3))

    def test_libtiff_reads_a_written_stack(self, source):
        TIFF.write(Image(np.stack([GREY16] * 4), "ZYX", PixelSize(0.1, 0.1, 0.3)), source / "z.tif")
        printed = run_tool("tiffinfo", source / "z.tif")
        assert printed.stdout.count("TIFF Directory") == 4
        assert printed.stderr == ""


class TestColours:
    def test_palette_is_read_as_its_colours(self, source):
        run_tool(
            "convert", source / "colour.tif", "-colors", "16", "-depth", "8", "-type", "palette", source / "palette.tif"
        )
        run_tool("convert", source / "palette.tif", "-type", "truecolor", "-depth", "8", source / "twin.tif")
        assert tag(source / "palette.tif", "photometric") == 3
        np.testing.assert_array_equal(read(source / "palette.tif").pixels, read(source / "twin.tif").pixels)

    def test_16_bit_palette_keeps_its_values(self, tmp_path):
        colours = rng().integers(0, 65536, (3, 256), np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours)
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, colours.T[GREY])

    @pytest.mark.parametrize("pixels", [GREY, GREY16, GREY16.astype(np.uint32) * 3, GREY.astype(np.int16) - 99])
    def test_white_first_is_inverted(self, pixels, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", ~pixels, photometric="miniswhite", metadata=None)
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, pixels)

    def test_white_first_is_read_as_by_other_programs(self, source):
        run_tool("convert", source / "grey.tif", "-define", "quantum:polarity=min-is-white", source / "w.tif")
        assert tag(source / "w.tif", "photometric") == 0
        run_tool("convert", source / "w.tif", source / "w.png")
        with PIL.Image.open(source / "w.png") as twin:
            np.testing.assert_array_equal(read(source / "w.tif").pixels, np.asarray(twin))

    @pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
    def test_one_bit_is_read_as_black_and_white(self, photometric, tmp_path):
        mask = GREY > 99
        stored = ~mask if photometric == "miniswhite" else mask
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric=photometric, metadata=None)
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, mask * np.uint8(255))

    def test_fax_compression_is_read(self, source):
        run_tool(
            "convert",
            source / "grey.tif",
            "-threshold",
            "50%",
            "-type",
            "bilevel",
            "-compress",
            "Group4",
            source / "f.tif",
        )
        run_tool(
            "convert", source / "f.tif", "-compress", "none", "-type", "grayscale", "-depth", "8", source / "twin.tif"
        )
        np.testing.assert_array_equal(read(source / "f.tif").pixels, tifffile.imread(source / "twin.tif"))

    def test_12_bit_values_are_not_scaled(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", GREY16 >> 4, bitspersample=12, metadata=None, photometric="minisblack")
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, GREY16 >> 4)

    @pytest.mark.parametrize(("samples", "axes"), [(2, "YXS"), (4, "YXS")])
    @pytest.mark.parametrize("premultiplied", [False, True])
    def test_alpha_is_kept_straight_or_premultiplied(self, samples, axes, premultiplied, tmp_path):
        pixels = rng().integers(0, 65536, (9, 8, samples), np.uint16)
        TIFF.write(Image(pixels, axes, metadata=Metadata(premultiplied=premultiplied)), tmp_path / "a.tif")
        image = read(tmp_path / "a.tif")
        assert image.has_alpha
        assert image.metadata.premultiplied is premultiplied
        np.testing.assert_array_equal(image.pixels, pixels)

    def test_unspecified_fourth_sample_stays_unspecified(self, tmp_path):
        pixels = rng().integers(0, 256, (9, 8, 4), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"], metadata=None)
        image = read(tmp_path / "a.tif")
        TIFF.write(image, tmp_path / "b.tif")
        np.testing.assert_array_equal(read(tmp_path / "b.tif").pixels, pixels)
        assert tag(tmp_path / "b.tif", "extrasamples") == (0,)

    @pytest.mark.parametrize("planar", ["contig", "separate"])
    @pytest.mark.parametrize("samples", [2, 3, 5])
    def test_samples_that_are_not_colours_become_channels(self, planar, samples, tmp_path):
        pixels = rng().integers(0, 256, (samples, 20, 30), np.uint8)
        stored = np.ascontiguousarray(np.moveaxis(pixels, 0, -1)) if planar == "contig" else pixels
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planar, metadata=None)
        image = read(tmp_path / "a.tif")
        assert image.axes == "CYX"
        np.testing.assert_array_equal(image.pixels, pixels)

    @pytest.mark.parametrize("space", ["CMYK", "Lab"])
    def test_unsupported_colours_are_refused(self, space, source):
        run_tool("convert", source / "colour.tif", "-colorspace", space, source / "c.tif")
        with pytest.raises(ReadError, match=space) as error:
            TIFF.read(source / "c.tif")
        assert "RGB" in error.value.hint

    def test_too_many_samples_are_refused(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 9, 5), np.uint8), photometric="rgb")
        with pytest.raises(ReadError, match="5 samples per pixel: red, green, blue and 2 more"):
            TIFF.read(tmp_path / "a.tif")

    def test_pages_with_different_palettes_are_refused(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for seed in range(2):
                colours = np.random.default_rng(seed).integers(0, 65536, (3, 256), np.uint16)
                writer.write(GREY, photometric="palette", colormap=colours, metadata=None)
        with pytest.raises(ReadError, match="different palettes"):
            TIFF.read(tmp_path / "a.tif")


class TestSeveralImages:
    def test_images_of_different_shapes_are_refused(self, source):
        run_tool("convert", source / "grey.tif", source / "colour.tif", source / "mixed.tif")
        with pytest.raises(ReadError, match=r"it contains 2 images \(70×90, 70×90×3\)") as error:
            TIFF.read(source / "mixed.tif")
        assert "split" in error.value.hint

    def test_thumbnail_is_ignored(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(COLOUR, photometric="rgb", metadata=None)
            writer.write(COLOUR[::7, ::9], photometric="rgb", subfiletype=1, metadata=None)
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, COLOUR)

    def test_full_resolution_of_a_pyramid_is_read(self, tmp_path):
        pixels = rng().integers(0, 65536, (256, 256), np.uint16)
        for name in ("a.tif", "a.ome.tif"):
            with tifffile.TiffWriter(tmp_path / name) as writer:
                writer.write(pixels, subifds=1, tile=(64, 64))
                writer.write(pixels[::2, ::2], subfiletype=1, tile=(64, 64))
            np.testing.assert_array_equal(read(tmp_path / name).pixels, pixels)


class TestMetadata:
    @pytest.mark.parametrize(("unit", "density", "pixel_size", "dpi"), [
        ("CENTIMETER", 30769.2307692, PixelSize(0.325, 0.325), None),
        ("INCH", 254_000.0, PixelSize(0.1, 0.1), None),
        ("INCH", 72.0, None, (72.0, 72.0)),
        ("INCH", 300.0, None, (300.0, 300.0)),
        ("CENTIMETER", 118.1102362, None, (300.0, 300.0)),
        ("NONE", 1.0, None, None),
        ("NONE", 30769.0, None, None),
    ])  # fmt: skip
    def test_resolution_is_read_as_pixel_size_or_dpi(self, unit, density, pixel_size, dpi, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", GREY, resolution=(density, density), resolutionunit=unit, metadata=None)
        image = read(tmp_path / "a.tif")
        assert (image.pixel_size is None) == (pixel_size is None)
        assert (image.metadata.dpi is None) == (dpi is None)
        if pixel_size:
            assert image.pixel_size[:2] == pytest.approx(pixel_size[:2], rel=1e-6)
        if dpi:
            assert image.metadata.dpi == pytest.approx(dpi, rel=1e-6)
        TIFF.write(image, tmp_path / "b.tif")
        assert read(tmp_path / "b.tif").pixel_size == image.pixel_size
        assert (read(tmp_path / "b.tif").metadata.dpi or ()) == pytest.approx(image.metadata.dpi or ())

    @pytest.mark.parametrize("size", [0.325, 0.1, 0.0645, 1 / 3, 1.6125, 19.999, 6.5e-3])
    @pytest.mark.parametrize("flavour", ["plain", "ome", "imagej"])
    def test_pixel_size_is_kept_to_the_last_significant_digit(self, size, flavour, tmp_path):
        image = Image(GREY, "YX", PixelSize(size, size * 1.5 % 19), Metadata(flavour=flavour))
        assert TIFF.write(image, tmp_path / "a.tif") == ()
        back = read(tmp_path / "a.tif")
        assert back.metadata.flavour == flavour
        assert back.pixel_size[:2] == pytest.approx((size, size * 1.5 % 19), rel=1e-8)

    @pytest.mark.parametrize("text", ["plate 7, well B3", "20 °C, µm, 細胞", "two\nlines", "a=b", "x" * 5000])
    def test_description_is_kept(self, text, tmp_path):
        for flavour in ("plain", "ome", "imagej"):
            TIFF.write(Image(GREY, "YX", metadata=Metadata(description=text, flavour=flavour)), tmp_path / "a.tif")
            assert read(tmp_path / "a.tif").metadata.description == text

    @pytest.mark.parametrize("flavour", ["plain", "ome", "imagej"])
    def test_characters_that_cannot_be_stored_are_removed(self, flavour, tmp_path):
        metadata = Metadata(description="a\0b\x07c\udcffd", channel_names=("x\x1b", "y"), flavour=flavour)
        TIFF.write(Image(np.stack([GREY] * 2), "CYX", metadata=metadata), tmp_path / "a.tif")
        back = read(tmp_path / "a.tif").metadata
        assert (back.description, back.channel_names) == ("abcd", ("x", "y"))

    @pytest.mark.parametrize("text", ["ImageJ=1.11a\nimages=9\n", '{"shape": [9, 9]}', "<OME></OME>"])
    def test_description_like_that_of_another_flavour_is_lost(self, text, tmp_path):
        image = Image(GREY, "YX", metadata=Metadata(description=text, flavour="plain"))
        assert TIFF.write(image, tmp_path / "a.tif") == ("description",)
        np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, GREY)

    def test_metadata_of_later_pages_is_ignored(self, tmp_path):
        image = Image(np.stack([GREY] * 3), "IYX", metadata=Metadata(icc=b"not really a profile" * 9, description="d"))
        TIFF.write(image, tmp_path / "a.tif")
        back = read(tmp_path / "a.tif")
        assert back.metadata.icc == image.metadata.icc
        assert back.metadata.description == "d"


class TestFlavour:
    @pytest.mark.parametrize(("dtype", "axes", "size", "names", "flavour", "expected"), [
        ("uint8", "YX", None, (), "", "plain"),
        ("uint8", "YXS", None, (), "", "plain"),
        ("uint16", "IYX", None, (), "", "plain"),
        ("uint16", "ZYX", None, (), "", "ome"),
        ("uint16", "YX", None, ("DAPI",), "", "ome"),
        ("uint16", "YX", PixelSize(0.1, 0.1), (), "", "plain"),
        ("uint16", "YX", PixelSize(0.1, 0.1, 1.0), (), "plain", "ome"),
        ("uint16", "YX", PixelSize(50.0, 50.0), (), "plain", "ome"),
        ("uint16", "ZYX", None, (), "plain", "plain"),
        ("uint16", "TZCYX", None, (), "imagej", "imagej"),
        ("uint16", "CTYX", None, (), "imagej", "ome"),
        ("int32", "ZYX", None, (), "imagej", "ome"),
        ("uint32", "YX", None, (), "imagej", "plain"),
        ("float32", "TYX", None, (), "imagej", "imagej"),
        ("float64", "TYX", None, (), "imagej", "ome"),
        ("float16", "ZYX", None, (), "ome", "plain"),
        ("uint8", "YX", None, (), "ome", "ome"),
    ])  # fmt: skip
    def test_flavour_is_kept_if_it_can_describe_the_image(self, dtype, axes, size, names, flavour, expected, tmp_path):
        shape = tuple({"T": 2, "C": 3, "Z": 4, "I": 5, "Y": 6, "X": 7, "S": 3}[axis] for axis in axes)
        image = Image(np.zeros(shape, dtype), axes, size, Metadata(channel_names=names, flavour=flavour))
        TIFF.write(image, tmp_path / "a.tif")
        assert TIFF.read(tmp_path / "a.tif").metadata.flavour == expected

    def test_image_too_large_for_imagej_becomes_ome(self):
        pixels = np.broadcast_to(np.zeros((1, 1, 1), np.uint16), (3, 30_000, 30_000))  # takes no memory
        assert choose_flavour(Image(pixels, "ZYX", metadata=Metadata(flavour="imagej"))) == "ome"

    @pytest.mark.parametrize("dtype", [bool, np.complex64])
    def test_unsupported_dtype_is_refused(self, dtype, tmp_path):
        with pytest.raises(WriteError, match="TIFF cannot store") as error:
            TIFF.write(Image(np.zeros((4, 4), dtype), "YX"), tmp_path / "a.tif")
        assert error.value.hint
