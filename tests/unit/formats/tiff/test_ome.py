"""OME-TIFF: the XML is read, kept as a whole, and updated."""

from types import MappingProxyType
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile

from imgpool.core.errors import ReadError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.formats.tiff import TIFF

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
LAB = f"""<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="{SCHEMA}" UUID="urn:uuid:1" Creator="a microscope">
  <Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="1.4" Model="Plan µ"/></Instrument>
  <Image ID="Image:0" Name="well B3">
    <AcquisitionDate>2026-01-02T03:04:05</AcquisitionDate>
    <Description>HeLa, 20 °C</Description>
    <ObjectiveSettings ID="Objective:0"/>
    <Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SignificantBits="12" BigEndian="true"
        SizeX="30" SizeY="20" SizeC="2" SizeZ="3" SizeT="1" PhysicalSizeX="325" PhysicalSizeXUnit="nm"
        PhysicalSizeY="325" PhysicalSizeYUnit="nm" PhysicalSizeZ="0.001" PhysicalSizeZUnit="mm">
      <Channel ID="Channel:0:0" Name="DAPI" Color="65535" EmissionWavelength="461" SamplesPerPixel="1"/>
      <Channel ID="Channel:0:1" Name="GFP" Color="16711935" SamplesPerPixel="1"/>
      <TiffData IFD="0" PlaneCount="6"/>
      <Plane TheC="0" TheZ="0" TheT="0" ExposureTime="0.1"/>
      <Plane TheC="1" TheZ="0" TheT="0" ExposureTime="0.2"/>
    </Pixels>
    <ROIRef ID="ROI:0"/>
  </Image>
  <ROI ID="ROI:0"/>
</OME>"""
STACK = np.random.default_rng(2).integers(0, 4096, (3, 2, 20, 30), np.uint16)


def read(path):
    image = TIFF.read(path)
    assert TIFF.properties(path) == image.properties
    return image


def xml_of(path):
    with tifffile.TiffFile(path) as tiff:
        return ET.fromstring(tiff.ome_metadata)


def find(root, name):
    return root.findall(f".//{{{SCHEMA}}}{name}")


@pytest.fixture
def lab(tmp_path):
    """Write a file as a microscope does."""
    path = tmp_path / "lab.ome.tif"
    tifffile.imwrite(path, STACK.reshape(6, 20, 30), description=LAB.encode(), metadata=None, photometric="minisblack")
    return path


class TestReading:
    def test_metadata_is_read(self, lab):
        image = read(lab)
        assert image.axes == "ZCYX"
        np.testing.assert_array_equal(image.pixels, STACK)
        assert image.pixel_size == PixelSize(0.325, 0.325, 1.0)
        assert image.metadata.channel_names == ("DAPI", "GFP")
        assert image.metadata.description == "HeLa, 20 °C"
        assert image.metadata.flavour == "ome"

    @pytest.mark.parametrize("order", ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"])
    def test_every_order_of_axes_is_read(self, order, tmp_path):
        lengths = {"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6}
        axes = order[::-1]
        pixels = np.arange(720, dtype=np.uint16).reshape([lengths[axis] for axis in axes])
        tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": axes}, photometric="minisblack")
        image = read(tmp_path / "a.ome.tif")
        assert image.axes == axes
        np.testing.assert_array_equal(image.pixels, pixels)
        assert TIFF.write(image, tmp_path / "b.tif") == ()
        back = read(tmp_path / "b.tif")
        assert back.axes == axes
        np.testing.assert_array_equal(back.pixels, pixels)

    @pytest.mark.parametrize(("unit", "size"), [
        ("µm", 2.0), ("nm", 0.002), ("mm", 2000.0), ("Å", 0.0002), ("pixel", None), ("reference frame", None),
    ])  # fmt: skip
    def test_units_are_converted(self, unit, size, tmp_path):
        metadata = {"axes": "YX", **{f"PhysicalSize{axis}": 2.0 for axis in "XY"}}
        metadata |= {f"PhysicalSize{axis}Unit": unit for axis in "XY"}
        tifffile.imwrite(tmp_path / "a.ome.tif", STACK[0, 0], metadata=metadata)
        assert read(tmp_path / "a.ome.tif").pixel_size == (size and PixelSize(size, size))

    def test_channels_of_rgb_are_read(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (4, 9, 8, 3), np.uint8)
        for planar, stored, axes in (("contig", pixels, "ZYXS"), ("separate", np.moveaxis(pixels, -1, 1), "ZSYX")):
            tifffile.imwrite(
                tmp_path / "a.ome.tif", stored, photometric="rgb", planarconfig=planar, metadata={"axes": axes}
            )
            image = read(tmp_path / "a.ome.tif")
            assert image.axes == "ZYXS"
            np.testing.assert_array_equal(image.pixels, pixels)

    def test_renamed_file_is_read(self, tmp_path):
        xml = LAB.replace(' UUID="urn:uuid:1"', "").replace(
            'PlaneCount="6"/>', 'PlaneCount="6"><UUID FileName="old.ome.tif">urn:uuid:9</UUID></TiffData>'
        )
        path = tmp_path / "new.ome.tif"
        tifffile.imwrite(path, STACK.reshape(6, 20, 30), description=xml.encode(), metadata=None)
        np.testing.assert_array_equal(read(path).pixels, STACK)


class TestRefusals:
    def test_one_of_several_files_is_refused(self, tmp_path):
        named = [f'<UUID FileName="z{z}.ome.tif">urn:uuid:{z}</UUID>' for z in range(3)]
        parts = "".join(f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="2">{named[z]}</TiffData>' for z in range(3))
        xml = LAB.replace('<TiffData IFD="0" PlaneCount="6"/>', parts)
        for z in range(3):
            tifffile.imwrite(tmp_path / f"z{z}.ome.tif", STACK[z], description=xml.encode(), metadata=None)
        with pytest.raises(ReadError, match="one of 3 files that form one OME-TIFF image") as error:
            TIFF.read(tmp_path / "z1.ome.tif")
        assert "bfconvert" in error.value.hint

    def test_file_described_by_another_file_is_refused(self, tmp_path):
        xml = f'<OME xmlns="{SCHEMA}"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:1"/></OME>'
        tifffile.imwrite(tmp_path / "a.ome.tif", STACK[0], description=xml, metadata=None)
        with pytest.raises(ReadError, match="one of several files that form one OME-TIFF image"):
            TIFF.read(tmp_path / "a.ome.tif")

    @pytest.mark.parametrize(("old", "new"), [
        ('SizeZ="3"', 'SizeZ="9"'), ('SizeT="1"', 'SizeT="2"'), ('SizeX="30"', 'SizeX="31"'), ("</Pixels>", ""),
        ('SizeZ="3"', 'SizeZ="-3"'), ('SizeZ="3"', 'SizeZ="many"'), ('DimensionOrder="XYCZT"', ""),
        ('IFD="0"', 'IFD="2"'), ("Pixels", "Pictures"),
    ])  # fmt: skip
    def test_description_that_does_not_fit_is_refused(self, old, new, tmp_path, capfd):
        path = tmp_path / "a.ome.tif"
        tifffile.imwrite(path, STACK.reshape(6, 20, 30), description=LAB.replace(old, new).encode(), metadata=None)
        with pytest.raises(ReadError):
            TIFF.read(path)
        assert capfd.readouterr() == ("", "")

    def test_several_images_are_refused(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
            writer.write(STACK[0, 0])
            writer.write(STACK[0, 0])
        with pytest.raises(ReadError, match="contains 2 images"):
            TIFF.read(tmp_path / "a.ome.tif")


class TestWriting:
    def test_unknown_elements_are_kept(self, lab, tmp_path):
        assert TIFF.write(read(lab), tmp_path / "b.tif") == ()
        root = xml_of(tmp_path / "b.tif")
        assert find(root, "Objective")[0].get("Model") == "Plan µ"
        assert [channel.get("Color") for channel in find(root, "Channel")] == ["65535", "16711935"]
        assert find(root, "Channel")[0].get("EmissionWavelength") == "461"
        assert find(root, "Pixels")[0].get("PhysicalSizeXUnit") == "nm"
        assert find(root, "Pixels")[0].get("SignificantBits") == "12"
        assert len(find(root, "Plane")) == 2
        assert len(find(root, "ROI")) == 1
        assert find(root, "AcquisitionDate")[0].text == "2026-01-02T03:04:05"
        assert root.get("UUID") is None
        back = read(tmp_path / "b.tif")
        assert (back.properties, back.metadata.channel_names) == (read(lab).properties, ("DAPI", "GFP"))
        TIFF.write(back, tmp_path / "c.tif")
        assert (tmp_path / "b.tif").read_bytes() == (tmp_path / "c.tif").read_bytes()

    def test_changed_properties_are_updated(self, lab, tmp_path):
        image = read(lab)
        projected = Image(image.pixels[0, :, ::2, ::2].astype(np.float32), "CYX", PixelSize(0.65, 0.65), image.metadata)
        TIFF.write(projected, tmp_path / "b.tif")
        root = xml_of(tmp_path / "b.tif")
        pixels = find(root, "Pixels")[0]
        sizes = {axis: pixels.get(f"Size{axis}") for axis in "XYCZT"}
        assert sizes == {"X": "15", "Y": "10", "C": "2", "Z": "1", "T": "1"}
        assert pixels.get("Type") == "float"
        assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.65", "µm")
        assert pixels.get("PhysicalSizeZ") is None
        assert pixels.get("SignificantBits") is None
        assert find(root, "Plane") == find(root, "ROI") == find(root, "ROIRef") == []
        assert find(root, "Objective")
        assert read(tmp_path / "b.tif").properties == projected.properties

    def test_removed_channel_is_removed_from_the_xml(self, lab, tmp_path):
        image = read(lab)
        one = Image(image.pixels[:, 1], "ZYX", image.pixel_size, Metadata(extra=image.metadata.extra, flavour="ome"))
        TIFF.write(one, tmp_path / "b.tif")
        assert len(find(xml_of(tmp_path / "b.tif"), "Channel")) == 1
        assert read(tmp_path / "b.tif").properties == one.properties

    def test_invalid_significant_bits_are_dropped(self, lab, tmp_path):
        image = read(lab)
        TIFF.write(image.with_pixels(image.pixels * 16), tmp_path / "b.tif")
        assert find(xml_of(tmp_path / "b.tif"), "Pixels")[0].get("SignificantBits") is None

    @pytest.mark.parametrize(
        ("axes", "dtype"), [("TCZYX", "uint8"), ("CYXS", "uint8"), ("ZYX", "int32"), ("YX", "float64")]
    )
    def test_new_xml_is_valid_and_read_by_tifffile(self, axes, dtype, tmp_path):
        shape = tuple({"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6, "S": 3}[axis] for axis in axes)
        names = ("a & b", "<c>", "dé") if "C" in axes else ()
        pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        image = Image(pixels, axes, PixelSize(0.1, 0.2, 0.3 if "Z" in axes else None),
                      Metadata(channel_names=names, flavour="ome", description="é & <b>",
                               extra=MappingProxyType({"frame_interval": 2.5})))  # fmt: skip
        assert TIFF.write(image, tmp_path / "a.tif") == ()
        with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
            assert tiff.series[0].kind == "ome"
            assert (tiff.series[0].axes, tiff.series[0].shape) == (axes, shape)
            assert tiff.ome_metadata.isascii()
        back = read(tmp_path / "a.tif")
        assert back.properties == image.properties
        assert (back.metadata.channel_names, back.metadata.description) == (names, "é & <b>")
        assert back.metadata.extra["frame_interval"] == 2.5

    def test_elements_are_in_the_order_of_the_schema(self, lab, tmp_path):
        image = read(lab)
        metadata = Metadata(description="new", channel_names=("a", "b"), extra=image.metadata.extra, flavour="ome")
        TIFF.write(Image(image.pixels, image.axes, None, metadata), tmp_path / "b.tif")
        root = xml_of(tmp_path / "b.tif")
        names = [child.tag.rpartition("}")[2] for child in find(root, "Pixels")[0]]
        assert names == ["Channel", "Channel", "TiffData", "Plane", "Plane"]
        assert [child.tag.rpartition("}")[2] for child in find(root, "Image")[0]][:2] == [
            "AcquisitionDate",
            "Description",
        ]
        assert find(root, "Channel")[0].get("Name") == "a"
        assert find(root, "Pixels")[0].get("PhysicalSizeX") is None

    def test_wrong_number_of_channel_names_is_reported(self, tmp_path):
        image = Image(STACK[0], "CYX", metadata=Metadata(channel_names=("only one",), flavour="ome"))
        assert TIFF.write(image, tmp_path / "a.tif") == ("channel_names",)

    def test_pixel_size_in_an_unknown_unit_is_kept(self, tmp_path):
        xml = LAB.replace('PhysicalSizeYUnit="nm"', 'PhysicalSizeYUnit="reference frame"')
        tifffile.imwrite(tmp_path / "a.tif", STACK.reshape(6, 20, 30), description=xml.encode(), metadata=None)
        image = read(tmp_path / "a.tif")
        assert image.pixel_size is None
        TIFF.write(image, tmp_path / "b.tif")
        assert find(xml_of(tmp_path / "b.tif"), "Pixels")[0].get("PhysicalSizeYUnit") == "reference frame"
