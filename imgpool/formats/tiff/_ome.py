"""OME-XML, the description in an OME-TIFF file: parsed and written.

The XML of a source is kept as a whole, and only updated on writing, so that the microscope, the objective, the exposure
times and everything else in it are preserved.
"""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from imgpool.core.axes import has_samples
from imgpool.core.errors import ReadError
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.formats.tiff._errors import MalformedError

PIXEL_TYPES = {
    "int8": "int8", "int16": "int16", "int32": "int32",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32",
    "float32": "float", "float64": "double",
}  # fmt: skip

COMBINE_FILES = "combine them into one file first, for instance with bfconvert"
"""Hint for an image that is stored in several files."""

_SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_UNITS_UM = {"pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6,
                "in": 25_400.0}  # fmt: skip
_UNITS_S = {"ns": 1e-9, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_BEFORE_DESCRIPTION = {"AcquisitionDate", "ExperimenterRef"}


class OmeError(MalformedError):
    """The XML is damaged, or does not describe an image."""


def can_describe(properties: Properties) -> bool:
    """Whether OME supports this dtype and these axes."""
    return properties.dtype.name in PIXEL_TYPES and "I" not in properties.axes


def parse(xml: str) -> Element:
    """Return the root of an OME-XML text.

    Raises
    ------
    OmeError
        If the text is damaged, or describes no pixels.
    ReadError
        If the description is in another file.
    """
    try:
        root = ET.fromstring(xml)  # noqa: S314 - expat limits the expansion of entities
    except ET.ParseError as error:
        raise OmeError(f"its OME-XML is damaged: {error}") from None
    if _find(root, "BinaryOnly") is not None:
        raise ReadError("it is one of several files that form one OME-TIFF image, and another one describes it",
                        COMBINE_FILES)  # fmt: skip
    if _pixels(root) is None:
        raise OmeError("its OME-XML describes no image")
    return root


def count_files(root: Element) -> int:
    """Return the number of files that contain the planes of an OME-TIFF."""
    names = {element.text for element in root.iter() if _name(element) == "UUID"}
    return max(1, len(names))


def remove_file_names(root: Element) -> bool:
    """Remove the file names from the elements that locate the planes; return whether there were any.

    A file may have been renamed: its old name in the XML must not make tifffile look for another file.
    """
    named = [data for data in _children(_pixels(root), "TiffData") if _find(data, "UUID") is not None]
    for data in named:
        _drop(data, "UUID")
    return bool(named)


def to_text(root: Element) -> bytes:
    """Return the XML in ASCII."""
    ET.register_namespace("", root.tag.rpartition("}")[0].removeprefix("{"))
    text: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=False)
    return text


def pixel_size(root: Element) -> PixelSize | None:
    """Return the pixel size, if it is given along X and Y."""
    sizes = [_length(root, f"PhysicalSize{axis}") for axis in "YXZ"]
    y, x, z = sizes
    return PixelSize(y, x, z) if y and x else None


def channel_names(root: Element) -> tuple[str, ...]:
    """Return the names of the channels; none unless each has one."""
    names = [channel.get("Name", "") for channel in _children(_pixels(root), "Channel")]
    return tuple(names) if all(names) else ()


def description(root: Element) -> str:
    """Return the description of the image."""
    element = _find(_image(root), "Description")
    return (element.text or "") if element is not None else ""


def frame_interval(root: Element) -> float | None:
    """Return the time between two frames in seconds."""
    pixels = _pixels(root)
    return _interval(pixels) if pixels is not None else None


def describe(image: Image) -> bytes:
    """Return the OME-XML of an image in ASCII: that of its source, updated, or a new one; see `can_describe`."""
    source = image.metadata.extra.get("ome")
    root = parse(source) if source else _new_root()
    root.attrib.pop("UUID", None)  # it identifies the source file
    pixels = _pixels(root)
    assert pixels is not None  # checked by `parse`
    selected = image.metadata.extra.get("selected_pages", {})
    _keep_selected(pixels, selected)
    if _update_sizes(pixels, image) or selected:
        _drop(_image(root), "ROIRef")
        _drop(root, "ROI")
    _update_type(pixels, image)
    if image.pixel_size != pixel_size(root):
        _update_pixel_size(pixels, image.pixel_size)
    _update_interval(pixels, image)
    _update_channels(pixels, image)
    _place_data(pixels, image.properties.pages)
    _update_description(_image(root), image.metadata.description)
    return to_text(root)


def _new_root() -> Element:
    root = Element(f"{{{_SCHEMA}}}OME", {"Creator": "imgpool"})
    instance = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
    root.set(instance, f"{_SCHEMA} {_SCHEMA}/ome.xsd")
    image = ET.SubElement(root, f"{{{_SCHEMA}}}Image", {"ID": "Image:0"})
    ET.SubElement(image, f"{{{_SCHEMA}}}Pixels", {"ID": "Pixels:0"})
    return root


def _keep_selected(pixels: Element, selected: Mapping[str, tuple[int, ...]]) -> None:
    """Keep only the metadata of the selected channels and planes."""
    channels = list(_children(pixels, "Channel"))
    if "C" in selected and len(channels) > max(selected["C"]):
        first = list(pixels).index(channels[0])
        _drop(pixels, "Channel")
        for number, channel in enumerate(selected["C"]):
            pixels.insert(first + number, channels[channel])
        pixels.set("SizeC", str(int(pixels.get("SizeC", "1")) // len(channels) * len(selected["C"])))
    for axis in selected.keys() & set("ZT"):
        pixels.set(f"Size{axis}", str(len(selected[axis])))
    for axis, indices in selected.items():
        for plane in list(_children(pixels, "Plane")):
            number = int(_number(plane.get(f"The{axis}")) or 0)
            if number in indices:
                plane.set(f"The{axis}", str(indices.index(number)))
            else:
                pixels.remove(plane)


def _update_sizes(pixels: Element, image: Image) -> bool:
    """Set the order and lengths of the axes; return whether the planes now have another height or width."""
    before = {axis: pixels.get(f"Size{axis}") for axis in "XYZCT"}
    sizes = _sizes(image.properties)
    for axis, size in sizes.items():
        pixels.set(f"Size{axis}", size)
    pixels.set("DimensionOrder", _dimension_order(image.axes))
    changed = {axis for axis, size in sizes.items() if size != before[axis]}
    if "C" in changed:
        _drop(pixels, "Channel")
    if changed & set("ZCT"):
        _drop(pixels, "Plane")
    return bool(changed & set("XY"))


def _sizes(properties: Properties) -> dict[str, str]:
    """Return the length of each axis of OME; the samples of a pixel count as channels."""
    lengths = dict(zip(properties.axes, properties.shape, strict=True))
    lengths["C"] = lengths.get("C", 1) * lengths.get("S", 1)
    return {axis: str(lengths.get(axis, 1)) for axis in "XYZCT"}


def _dimension_order(axes: str) -> str:
    """Return all axes of OME, the fastest first."""
    named = [axis for axis in reversed(axes) if axis in "XYZCT"]
    return "".join([*named, *(axis for axis in "CZT" if axis not in named)])


def _update_type(pixels: Element, image: Image) -> None:
    kind = PIXEL_TYPES[image.pixels.dtype.name]
    bits = pixels.get("SignificantBits", "")
    stale = pixels.get("Type") != kind or not bits.isdigit() or image.pixels.max() >= 2 ** int(bits)
    if bits and stale:
        del pixels.attrib["SignificantBits"]
    pixels.set("Type", kind)
    for name in ("BigEndian", "Interleaved"):  # given by the TIFF itself
        pixels.attrib.pop(name, None)


def _update_pixel_size(pixels: Element, size: PixelSize | None) -> None:
    """Set the sizes that changed, in µm; the others keep their unit."""
    sizes: dict[str, float | None] = size._asdict() if size else dict.fromkeys("yxz")
    for axis, value in sizes.items():
        name = f"PhysicalSize{axis.upper()}"
        if value is None:
            pixels.attrib.pop(name, None)
            pixels.attrib.pop(f"{name}Unit", None)
        elif value != _in_unit(pixels, name, _UNITS_UM, "µm"):
            pixels.set(name, repr(float(value)))
            pixels.set(f"{name}Unit", "µm")


def _update_interval(pixels: Element, image: Image) -> None:
    seconds = image.metadata.extra.get("frame_interval")
    if seconds == _interval(pixels):
        return
    for name in ("TimeIncrement", "TimeIncrementUnit"):
        pixels.attrib.pop(name, None)
    if seconds:
        pixels.set("TimeIncrement", repr(float(seconds)))
        pixels.set("TimeIncrementUnit", "s")


def _update_channels(pixels: Element, image: Image) -> None:
    """Give each channel an element with its name and its number of samples."""
    properties, names = image.properties, image.metadata.channel_names
    samples = properties.shape[-1] if has_samples(properties.axes) else 1
    count = int(pixels.get("SizeC", "1")) // samples
    channels = list(_children(pixels, "Channel"))
    if len(channels) != count:
        _drop(pixels, "Channel")
        channels = [Element(_qualified_name(pixels, "Channel"), {"ID": f"Channel:0:{index}"}) for index in range(count)]
        for index, channel in enumerate(channels):
            pixels.insert(index, channel)
    for index, channel in enumerate(channels):
        channel.set("SamplesPerPixel", str(samples))
        if len(names) == count:
            channel.set("Name", names[index])


def _place_data(pixels: Element, planes: int) -> None:
    """State that all planes are in this file, from its first page on."""
    for name in ("TiffData", "BinData", "MetadataOnly"):
        _drop(pixels, name)
    data = Element(_qualified_name(pixels, "TiffData"), {"IFD": "0", "PlaneCount": str(planes)})
    pixels.insert(len(list(_children(pixels, "Channel"))), data)


def _update_description(image: Element, text: str) -> None:
    element = _find(image, "Description")
    if element is None:
        if not text:
            return
        element = Element(_qualified_name(image, "Description"))
        image.insert(sum(_name(child) in _BEFORE_DESCRIPTION for child in image), element)
    element.text = text


def _interval(pixels: Element) -> float | None:
    value = _number(pixels.get("TimeIncrement"))
    scale = _UNITS_S.get(pixels.get("TimeIncrementUnit", "s"))
    return value * scale if value and scale else None


def _length(root: Element, name: str) -> float | None:
    pixels = _pixels(root)
    length = _in_unit(pixels, name, _UNITS_UM, "µm") if pixels is not None else None
    return length if length and length > 0 else None


def _in_unit(element: Element, name: str, units: dict[str, float], default: str) -> float | None:
    value = _number(element.get(name))
    scale = units.get(element.get(f"{name}Unit", default))
    return None if value is None or scale is None else float(f"{value * scale:.15g}")


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _image(root: Element) -> Element:
    image = _find(root, "Image")
    assert image is not None  # checked by `parse`
    return image


def _pixels(root: Element) -> Element | None:
    image = _find(root, "Image")
    return _find(image, "Pixels") if image is not None else None


def _find(parent: Element, name: str) -> Element | None:
    return next(_children(parent, name), None)


def _children(parent: Element | None, name: str) -> Iterator[Element]:
    return (child for child in (parent if parent is not None else ()) if _name(child) == name)


def _drop(parent: Element, name: str) -> None:
    for child in list(_children(parent, name)):
        parent.remove(child)


def _name(element: Element) -> str:
    """Return the tag without its namespace, which differs between versions of OME."""
    return str(element.tag).rpartition("}")[2]


def _qualified_name(element: Element, name: str) -> str:
    """Return the tag `name` in the namespace of `element`."""
    return str(element.tag).removesuffix(_name(element)) + name
