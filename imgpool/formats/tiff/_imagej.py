"""ImageJ's way of describing a stack: lines of ``key=value``, and a private tag for the rest."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from imgpool.core.axes import page_count
from imgpool.core.image import Image, PixelSize, Properties
from imgpool.formats._resolution import Dpi, pixel_size_or_dpi, round_off

HOLDS = {"uint8", "uint16", "float32"}
LARGEST = 2**32 - 2**25  # bytes: ImageJ's stacks are classic TIFFs

_MICROMETRES = {"micron": 1.0, "microns": 1.0, "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "mm": 1e3,
                "cm": 1e4, "m": 1e6}  # fmt: skip
_INCHES = {"inch", "inches", "in"}
_COUNTS = {"images", "channels", "slices", "frames", "hyperstack"}
_LAYOUT = {"ImageJ", "SCIFIO", "order", "unit", "spacing", *_COUNTS}
_TAGGED = ("Info", "Labels", "Ranges", "LUTs", "Plot", "ROI", "Overlays", "Properties")
_OF_VALUES = {"min", "max", "Ranges"}  # display ranges: stale where the dtype changed
_OF_PLACES = {"ROI", "Overlays", "xorigin", "yorigin"}  # stale where the shape changed
_OF_TIME = {"finterval", "fps"}
_MICRON = "micron"

Said = Mapping[str, Any]


def can_describe(properties: Properties) -> bool:
    """Whether ImageJ has this dtype and these axes; an axis I is a stack whose meaning is not told."""
    leading = properties.axes[: properties.axes.index("Y")]
    if leading != "I" and leading != "".join(axis for axis in "TZC" if axis in leading):
        return False
    if properties.axes.endswith("S"):
        return properties.dtype == np.uint8 and properties.shape[-1] == 3 and "C" not in leading  # noqa: PLR2004 - RGB
    return properties.dtype.name in HOLDS and properties.nbytes < LARGEST


def pixel_size(said: Said, density: tuple[float, float]) -> tuple[PixelSize | None, Dpi | None]:
    """The pixel size, or the resolution for print, from pixels per unit (horizontal, vertical).

    Parameters
    ----------
    said
        The description and the private tag, as tifffile reads them.
    density
        The resolution tags.
    """
    unit = str(said.get("unit", "")).strip()
    horizontal, vertical = density
    if unit.lower() in _INCHES:
        return pixel_size_or_dpi(horizontal, vertical, "inch")
    scale = _MICROMETRES.get(unit, _MICROMETRES.get(unit.lower()))
    if scale is None or not (horizontal > 0 and vertical > 0):
        return None, None
    spacing = said.get("spacing")
    z = round_off(abs(spacing) * scale) if isinstance(spacing, int | float) and spacing else None
    return PixelSize(y=round_off(scale / vertical), x=round_off(scale / horizontal), z=z), None


def channel_names(said: Said, axes: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """The slices' labels, where they repeat from one group of channels to the next; else empty."""
    if "C" not in axes:
        return ()
    labels = said.get("Labels") or ()
    if isinstance(labels, str):
        labels = (labels,)
    channels = shape[axes.index("C")]
    first = tuple(labels[:channels])
    planes = page_count(axes, shape)
    repeated = first * (planes // channels)
    return first if all(first) and len(labels) == planes and repeated == tuple(labels) else ()


def values_to_keep(said: Said, properties: Properties) -> Said:
    """What to keep of it for writing, with what it held for."""
    kept = {key: value for key, value in said.items() if key not in _LAYOUT}
    return MappingProxyType({**kept, "dtype": properties.dtype.name, "shape": properties.shape})


def names_fit(image: Image) -> bool:
    """Whether there are channels, and each has a name."""
    return "C" in image.axes and image.pixels.shape[image.axes.index("C")] == len(image.metadata.channel_names)


def describe(image: Image) -> tuple[bytes, list[tuple[Any, ...]]]:
    """The description, and the private tags in the form that tifffile writes (little-endian)."""
    import tifffile.tifffile

    said = _still_true(image)
    lines = [*_layout(image), *(f"{key}={_text(value)}" for key, value in said.items() if _is_line(key, value))]
    tagged = {key: said[key] for key in _TAGGED if key in said}
    tags = tifffile.tifffile.imagej_metadata_tag(tagged, "<") if tagged else ()
    return ("\n".join(lines) + "\n").encode("ascii", "replace"), list(tags)


def _layout(image: Image) -> list[str]:
    lengths = dict(zip(image.axes, image.pixels.shape, strict=True))
    counts = {"channels": "C", "slices": "Z", "frames": "T"}
    lines = ["ImageJ=1.54f", f"images={image.properties.pages}"]
    lines += [f"{name}={lengths[axis]}" for name, axis in counts.items() if axis in lengths]
    if any(axis in lengths for axis in "CT"):
        lines.append("hyperstack=true")
    size = image.pixel_size
    if size is not None:
        lines.append(f"unit={_MICRON}")
        lines += [f"spacing={size.z!r}"] if size.z is not None else []
    elif image.metadata.dpi is not None:
        lines.append("unit=inch")
    return lines


def _still_true(image: Image) -> dict[str, Any]:
    """What the source said, without what the pixels have outgrown; and the names and interval of now."""
    metadata = image.metadata
    said = dict(metadata.extra.get("imagej", {}))
    dtype, shape = said.pop("dtype", None), said.pop("shape", None)
    stale = {"Labels"} if shape != image.pixels.shape else set()
    stale |= _OF_VALUES if dtype != image.pixels.dtype.name else set()
    stale |= _OF_PLACES | {"mode", "LUTs", "Ranges"} if shape != image.pixels.shape else set()
    said = {key: value for key, value in said.items() if key not in stale}
    if "C" in image.axes:
        said.setdefault("mode", "grayscale")
    interval = metadata.extra.get("frame_interval")
    if interval != (said.get("finterval") or None):
        said = {key: value for key, value in said.items() if key not in _OF_TIME}
    if "T" in image.axes and interval:
        said["finterval"] = interval
    if names_fit(image):
        said["Labels"] = list(metadata.channel_names) * (image.properties.pages // len(metadata.channel_names))
    if metadata.description:
        said["Info"] = metadata.description
    return said


def _is_line(key: str, value: object) -> bool:
    return key not in {*_TAGGED, "colormap"} and isinstance(value, bool | int | float | str)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
