"""ImageJ's description of a stack: lines of ``key=value``, and a private tag for everything else."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from imgpool.core.axes import page_count
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.formats._resolution import Dpi, pixel_size_or_dpi, round_off

DTYPES = {"uint8", "uint16", "float32"}
"""Types that ImageJ supports."""

MAX_BYTES = 2**32 - 2**25
"""Largest stack that ImageJ stores: it writes classic TIFF files."""

_UNITS_UM = {"micron": 1.0, "microns": 1.0, "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3,
             "cm": 1e4, "m": 1e6}  # fmt: skip
_INCHES = {"inch", "inches", "in"}
_COUNTS = {"images", "channels", "slices", "frames", "hyperstack"}
_LAYOUT_KEYS = {"ImageJ", "SCIFIO", "order", "unit", "spacing", *_COUNTS}  # written anew each time
_TAG_KEYS = ("Info", "Labels", "Ranges", "LUTs", "Plot", "ROI", "Overlays", "Properties")  # stored in the private tag
_VALUE_KEYS = {"min", "max", "Ranges"}  # display ranges: invalid if the dtype changed
_SHAPE_KEYS = {"Labels", "ROI", "Overlays", "xorigin", "yorigin", "mode", "LUTs", "Ranges"}  # invalid for another shape
_TIME_KEYS = {"finterval", "fps"}
_RGB_SAMPLES = 3

Values = Mapping[str, Any]
"""Values of the description and of the private tag, by key."""


def can_describe(properties: Properties) -> bool:
    """Whether ImageJ supports this dtype and these axes; an axis I is a stack without a meaning."""
    leading = properties.axes[: properties.axes.index("Y")]
    if leading != "I" and leading != "".join(axis for axis in "TZC" if axis in leading):
        return False
    if properties.axes.endswith("S"):
        return properties.dtype == np.uint8 and properties.shape[-1] == _RGB_SAMPLES and "C" not in leading
    return properties.dtype.name in DTYPES and properties.nbytes < MAX_BYTES


def pixel_size(values: Values, density: tuple[float, float]) -> tuple[PixelSize | None, Dpi | None]:
    """Return the pixel size, or the resolution for print.

    Parameters
    ----------
    values
        The description and the private tag, as tifffile reads them.
    density
        Pixels per unit, horizontal and vertical, from the resolution tags.
    """
    unit = str(values.get("unit", "")).strip()
    horizontal, vertical = density
    if unit.lower() in _INCHES:
        return pixel_size_or_dpi(horizontal, vertical, "inch")
    scale = _UNITS_UM.get(unit, _UNITS_UM.get(unit.lower()))
    if scale is None or not (horizontal > 0 and vertical > 0):
        return None, None
    spacing = values.get("spacing")
    z = round_off(abs(spacing) * scale) if isinstance(spacing, int | float) and spacing else None
    return PixelSize(y=round_off(scale / vertical), x=round_off(scale / horizontal), z=z), None


def channel_names(values: Values, axes: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the labels of the slices if they repeat for each group of channels; otherwise none."""
    if "C" not in axes:
        return ()
    labels = values.get("Labels") or ()
    if isinstance(labels, str):
        labels = (labels,)
    channels = shape[axes.index("C")]
    first = tuple(labels[:channels])
    planes = page_count(axes, shape)
    repeated = first * (planes // channels)
    return first if all(first) and len(labels) == planes and repeated == tuple(labels) else ()


def values_to_keep(values: Values, properties: Properties) -> Values:
    """Return the values to write again, with the dtype and the shape for which they are valid."""
    kept = {key: value for key, value in values.items() if key not in _LAYOUT_KEYS}
    return MappingProxyType({**kept, "dtype": properties.dtype.name, "shape": properties.shape})


def has_channel_names(image: Image) -> bool:
    """Whether there are channels, and each has a name."""
    return "C" in image.axes and image.pixels.shape[image.axes.index("C")] == len(image.metadata.channel_names)


def describe(image: Image) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return the description, and the private tags in the form that tifffile writes (little-endian)."""
    import tifffile.tifffile

    values = _current_values(image)
    lines = [*_layout_lines(image), *(f"{key}={_text(value)}" for key, value in values.items() if _is_line(key, value))]
    tag_values = {key: values[key] for key in _TAG_KEYS if key in values}
    tags = tifffile.tifffile.imagej_metadata_tag(tag_values, "<") if tag_values else ()
    return ("\n".join(lines) + "\n").encode("ascii", "replace"), list(tags)


def _layout_lines(image: Image) -> list[str]:
    lengths = dict(zip(image.axes, image.pixels.shape, strict=True))
    counts = {"channels": "C", "slices": "Z", "frames": "T"}
    lines = ["ImageJ=1.54f", f"images={image.properties.pages}"]
    lines += [f"{name}={lengths[axis]}" for name, axis in counts.items() if axis in lengths]
    if any(axis in lengths for axis in "CT"):
        lines.append("hyperstack=true")
    size = image.pixel_size
    if size is not None:
        lines.append("unit=micron")
        lines += [f"spacing={size.z!r}"] if size.z is not None else []
    elif image.metadata.dpi is not None:
        lines.append("unit=inch")
    return lines


def _current_values(image: Image) -> dict[str, Any]:
    """Return the values of the source that are still valid, with the current names, interval and text."""
    metadata = image.metadata
    values = _valid_values(image)
    if "C" in image.axes:
        values.setdefault("mode", "grayscale")
    interval = metadata.extra.get("frame_interval")
    if interval != (values.get("finterval") or None):
        values = _without(values, _TIME_KEYS)
    if "T" in image.axes and interval:
        values["finterval"] = interval
    if has_channel_names(image):
        values["Labels"] = list(metadata.channel_names) * (image.properties.pages // len(metadata.channel_names))
    if metadata.description:
        values["Info"] = metadata.description
    return values


def _valid_values(image: Image) -> dict[str, Any]:
    """Return the values of the source without those that are invalid for the current dtype or shape."""
    values = dict(image.metadata.extra.get("imagej", {}))
    dtype, shape = values.pop("dtype", None), values.pop("shape", None)
    if dtype != image.pixels.dtype.name:
        values = _without(values, _VALUE_KEYS)
    if shape != image.pixels.shape:
        values = _without(values, _SHAPE_KEYS)
    return values


def _without(values: Values, keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


def _is_line(key: str, value: object) -> bool:
    return key not in {*_TAG_KEYS, "colormap"} and isinstance(value, bool | int | float | str)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
