"""select: channels, slices, frames and pages, and their metadata."""

import re
from types import MappingProxyType

import numpy as np
import pytest
import tifffile

import imgpool
from imgpool.core.errors import FilterError, RecipeError
from imgpool.core.image import Image, Metadata, PixelSize
from imgpool.core.recipe import Recipe
from imgpool.filters.selection import select

STACK = Image(np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6), "TCZYX")
OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0"
 DimensionOrder="XYZCT" Type="uint16" SizeX="6" SizeY="5" SizeZ="4" SizeC="3" SizeT="2" PhysicalSizeX="0.5"
 PhysicalSizeY="0.5" PhysicalSizeZ="2" TimeIncrement="3" TimeIncrementUnit="min">
 <Channel ID="Channel:0:0" Name="DAPI" EmissionWavelength="460" SamplesPerPixel="1"/>
 <Channel ID="Channel:0:1" Name="GFP" EmissionWavelength="510" SamplesPerPixel="1"/>
 <Channel ID="Channel:0:2" Name="Cy5" EmissionWavelength="670" SamplesPerPixel="1"/>
 <TiffData IFD="0" PlaneCount="24"/>{planes}</Pixels></Image></OME>"""
PLANES = "".join(
    f'<Plane TheT="{t}" TheC="{c}" TheZ="{z}" DeltaT="{100 * t + 10 * c + z}"/>'
    for t in range(2) for c in range(3) for z in range(4)
)  # fmt: skip


@pytest.fixture
def ome(tmp_path):
    path = tmp_path / "a.ome.tif"
    xml = OME.format(planes=PLANES).encode()
    pages = STACK.pixels.reshape(-1, 5, 6)
    tifffile.imwrite(path, pages, description=xml, metadata=None, photometric="minisblack", ome=False)
    return path


@pytest.mark.parametrize(
    ("wanted", "axes", "index"),
    [
        ({"c": 1}, "TZYX", np.s_[:, 1]),
        ({"c": "1"}, "TZYX", np.s_[:, 1]),
        ({"z": "0..2"}, "TCZYX", np.s_[:, :, 0:3]),
        ({"z": [3, 0]}, "TCZYX", np.s_[:, :, [3, 0]]),
        ({"z": "3+0..1"}, "TCZYX", np.s_[:, :, [3, 0, 1]]),
        ({"t": 1, "c": 2, "z": 3}, "YX", np.s_[1, 2, 3]),
        ({"t": "0..1"}, "TCZYX", np.s_[:]),
        ({"page": 0, "c": 0}, "TZYX", np.s_[:, 0]),
    ],
)
def test_selection_equals_indexing(wanted, axes, index):
    result = select(STACK, **wanted)
    assert np.array_equal(result.pixels, STACK.pixels[index])
    assert result.axes == axes


def test_pages_without_axis_are_selected_by_page():
    pages = Image(STACK.pixels[0, 0], "IYX")
    assert np.array_equal(select(pages, page=2).pixels, pages.pixels[2])


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"c": 3}, "no channel 3: the image has 3 channels, 0 to 2"),
        ({"z": "2..4"}, "no slice 4: the image has 4 slices"),
        ({"t": "7+0"}, "no frame 7"),
        ({"page": 1}, "no page 1: the image has only page 0"),
    ],
)
def test_missing_pages_are_refused(wanted, complaint):
    with pytest.raises(FilterError, match=re.escape(complaint)) as refusal:
        select(STACK, **wanted)
    assert refusal.value.hint


def test_colours_are_not_channels():
    with pytest.raises(FilterError, match="samples of each pixel"):
        select(Image(np.zeros((4, 5, 3), np.uint8), "YXS"), c=0)


@pytest.mark.parametrize(
    ("invalid", "complaint"),
    [
        *((text, "must be a number, a range") for text in ("x", "1..", "-1", "1.5", "", "1 2", True)),
        ("4..2", "must be a range from a lower to a higher number, not 4..2"),
        ("0..9999999", "must be below 1,000,000"),
        *((text, "must be different numbers") for text in ("0+0", "0..2+1")),
    ],
)
def test_invalid_page_numbers_are_refused_with_the_recipe(invalid, complaint):
    with pytest.raises(RecipeError, match=f"select: z.* {complaint}"):
        select.validate({"z": invalid})


def test_select_needs_a_parameter():
    with pytest.raises(RecipeError, match="select needs c, z, t or page"):
        Recipe.from_specs(["select"])


def test_recipe_stores_the_selection_as_text():
    step = Recipe.from_specs(["select:z=0..4,c=0+2"]).steps[0]
    assert {name: value for name, value in step.parameters.items() if value} == {"z": "0..4", "c": "0+2"}


def test_ome_channels_and_planes_are_selected_too(ome, tmp_path):
    picked = select(imgpool.read(ome), c="2+0", z="0+2", t=1)
    assert imgpool.write(picked, tmp_path / "b.ome.tif") == ()
    back = imgpool.read(tmp_path / "b.ome.tif")
    assert np.array_equal(back.pixels, STACK.pixels[1, [2, 0]][:, [0, 2]])
    assert back.metadata.channel_names == ("Cy5", "DAPI")
    assert back.pixel_size == PixelSize(0.5, 0.5, 4.0)
    xml = back.metadata.extra["ome"]
    assert re.findall(r'EmissionWavelength="(\d+)"', xml) == ["670", "460"]
    planes = {}
    for plane in re.findall(r"<Plane .*?>", xml):
        t, c, z, delta = (int(re.search(rf'{name}="(\d+)"', plane)[1]) for name in ("TheT", "TheC", "TheZ", "DeltaT"))
        planes[t, c, z] = delta
    assert planes == {(0, 0, 0): 120, (0, 0, 1): 122, (0, 1, 0): 100, (0, 1, 1): 102}


def test_single_channel_keeps_its_name(ome, tmp_path):
    assert imgpool.write(select(imgpool.read(ome), c=1), tmp_path / "b.ome.tif") == ()
    assert imgpool.read(tmp_path / "b.ome.tif").metadata.channel_names == ("GFP",)


def test_frame_interval_in_ome_is_adapted(tmp_path):
    image = Image(np.zeros((5, 4, 4), np.uint16), "TYX", PixelSize(0.5, 0.5),
                  Metadata(extra=MappingProxyType({"frame_interval": 1.5})))  # fmt: skip
    imgpool.write(image, tmp_path / "a.tif")
    source = imgpool.read(tmp_path / "a.tif")
    for wanted, seconds in (("0+2+4", 3.0), ("0..1", 1.5), ("0+1+4", None)):
        imgpool.write(select(source, t=wanted), tmp_path / "b.tif")
        assert imgpool.read(tmp_path / "b.tif").metadata.extra.get("frame_interval") == seconds


def test_imagej_intervals_are_adapted(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK.pixels.swapaxes(1, 2), imagej=True,
                     metadata={"axes": "TZCYX", "finterval": 2.5, "fps": 0.4, "spacing": 2.0, "unit": "um"},
                     resolution=(2, 2))  # fmt: skip
    imgpool.write(select(imgpool.read(tmp_path / "a.tif"), z="1+3"), tmp_path / "b.tif")
    back = imgpool.read(tmp_path / "b.tif")
    assert back.metadata.flavour == "imagej"
    assert back.pixel_size == PixelSize(0.5, 0.5, 4.0)
    assert np.array_equal(back.pixels, STACK.pixels.swapaxes(1, 2)[:, [1, 3]])
    assert back.metadata.extra["frame_interval"] == 2.5


def test_partial_read_gives_the_same_output(ome, tmp_path):
    (tmp_path / "in").mkdir()
    ome.rename(tmp_path / "in" / "a.ome.tif")
    recipe = Recipe.from_specs(["select:c=1,z=0..1", "gaussian:sigma=1"])
    results = list(imgpool.process(tmp_path / "in", output=tmp_path / "out", recipe=recipe, engine="serial"))
    assert [result.status for result in results] == ["done"]
    expected = recipe.apply(imgpool.read(tmp_path / "in" / "a.ome.tif"))
    found = imgpool.read(tmp_path / "out" / "a.ome.tif")
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.properties == expected.properties
    assert found.metadata.channel_names == ("GFP",)
