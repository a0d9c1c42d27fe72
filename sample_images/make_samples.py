"""Render every sample image from fixed seeds: ``python sample_images/make_samples.py [FOLDER]``.

Without FOLDER, the images beside this script are replaced. The modules of `scenes` compute the light; this script
writes it in the format that the camera or microscope would use.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scenes import (
    aperture,
    display_p3,
    fibroblasts,
    galaxy,
    island,
    landscape,
    nuclei,
    optics,
    pollen,
    red_blood_cells,
    still_life,
    tissue,
)

WriteSample = Callable[[Path, np.random.Generator], None]

SOFTWARE = "imgpool sample images"
WELLS = {"A1": 34, "A2": 27, "B1": 9}  # number of cells; B1 was treated with the drug


def main(folder: Path) -> None:
    """Write all samples to `folder`, which is created if it does not exist."""
    (folder / "plate").mkdir(parents=True, exist_ok=True)
    for name, (write_sample, seed) in SAMPLES.items():
        write_sample(folder / name, np.random.default_rng(seed))
    for index, (well, cells) in enumerate(WELLS.items()):
        write_well(folder / "plate" / f"well {well}.tif", cells, np.random.default_rng(100 + index))


def write_landscape(path: Path, rng: np.random.Generator) -> None:
    """Write a portrait-format photo as cameras store it: a landscape-format JPEG with an orientation tag."""
    from PIL import Image

    upright = optics.develop(landscape.view(1200, 800, rng), rng, noise=0.008)
    rotated = Image.fromarray(np.rot90(upright))
    rotated.save(path, quality=88, exif=_camera_exif(), icc_profile=display_p3.profile())


def _camera_exif() -> Any:  # noqa: ANN401 - Pillow's Exif; Pillow is imported where it is used
    from PIL import ExifTags, Image

    tag, exif = ExifTags.Base, Image.Exif()
    exif[tag.Orientation] = 6  # rotate by 90° clockwise for display
    exif[tag.ImageDescription] = "Mountain lake at sunrise"
    exif[tag.Make], exif[tag.Model], exif[tag.Software] = "imgpool", "Imaginary camera", SOFTWARE
    exif[tag.DateTime] = "2026:01:01 07:58:12"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            tag.DateTimeOriginal: "2026:01:01 07:58:12",
            tag.ExposureTime: 1 / 125,
            tag.FNumber: 8.0,
            tag.ISOSpeedRatings: 100,
            tag.FocalLength: 35.0,
            tag.LensModel: "35 mm f/2",
        }
    )
    return exif


def write_still_life(path: Path, rng: np.random.Generator) -> None:
    """Write a lossy WebP."""
    from PIL import Image

    Image.fromarray(optics.develop(still_life.view(480, 640, rng), rng)).save(path, quality=90, method=6)


def write_pollen(path: Path, rng: np.random.Generator) -> None:
    """Write a grey JPEG, as electron microscopes export them for presentations."""
    from PIL import Image

    Image.fromarray(pollen.grains((330, 480), rng)).save(path, quality=90)


def write_icon(path: Path, _rng: np.random.Generator) -> None:
    """Write a PNG with soft edges in alpha, and a colour hidden under transparent pixels."""
    from PIL import Image

    Image.fromarray(aperture.icon(256)).save(path, optimize=True)


def write_island(path: Path, rng: np.random.Generator) -> None:
    """Write a PNG with a palette."""
    from PIL import Image

    index, palette = island.relief(288, 416, rng)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    image.save(path, optimize=True)


def write_galaxy(path: Path, rng: np.random.Generator) -> None:
    """Write a 16-bit grey PNG."""
    from PIL import Image

    Image.fromarray(galaxy.exposure(400, rng)).save(path, optimize=True)


def write_nuclei(path: Path, rng: np.random.Generator) -> None:
    """Write a 16-bit TIFF as ImageJ does: big-endian and uncompressed, with the pixel size in µm."""
    import tifffile

    pixels = nuclei.field(512, 46, 23, rng)
    display = {"min": float(pixels.min()), "max": float(pixels.max())}
    metadata = {"axes": "YX", "unit": "micron", **display}
    tifffile.imwrite(
        path, pixels, imagej=True, byteorder=">", software=SOFTWARE, resolution=(1 / 0.325,) * 2, metadata=metadata
    )


def write_cells(path: Path, rng: np.random.Generator) -> None:
    """Write an OME-TIFF of two channels with five slices each."""
    import tifffile

    metadata: dict[str, Any] = {
        "axes": "CZYX",
        "Name": "fibroblasts",
        "Creator": SOFTWARE,
        "UUID": "urn:uuid:7b0f3a52-6d0c-4c1e-9a55-1d2f6f0e5a01",  # by default it is random
        "Channel": {"Name": ["DAPI", "GFP"], "EmissionWavelength": [461, 509], "EmissionWavelengthUnit": ["nm", "nm"]},
    }
    for axis, size in {"X": 0.2, "Y": 0.2, "Z": 0.5}.items():
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    tifffile.imwrite(
        path, fibroblasts.stack(256, rng), ome=True, photometric="minisblack", metadata=metadata,
        software=SOFTWARE, **_per_cm(0.2), **_deflate(),
    )  # fmt: skip


def write_phase(path: Path, rng: np.random.Generator) -> None:
    """Write a 32-bit float TIFF in radians, with negative values."""
    import tifffile

    pixels = red_blood_cells.phase(320, 0.17, rng)
    tifffile.imwrite(path, pixels, description="Phase in radians", software=SOFTWARE, metadata=None,
                     **_per_cm(0.17), **_deflate())  # fmt: skip


def write_tissue(path: Path, rng: np.random.Generator) -> None:
    """Write a 16-bit RGB TIFF in tiles, as slide scanners do."""
    import tifffile

    pixels = tissue.section(320, rng)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(160, 160), software=SOFTWARE, metadata=None,
                     **_per_cm(0.5), **_deflate())  # fmt: skip


def write_well(path: Path, cells: int, rng: np.random.Generator) -> None:
    """Write one field of a multi-well plate: a 16-bit LZW TIFF with the pixel size in its resolution tags."""
    import tifffile

    pixels = nuclei.field(256, cells, 11.5, rng)
    tifffile.imwrite(path, pixels, compression="lzw", predictor=True, software=SOFTWARE, metadata=None,
                     photometric="minisblack", **_per_cm(0.65))  # fmt: skip


def _per_cm(micrometres: float) -> dict[str, Any]:
    """Return the arguments of tifffile for a pixel size, stored as pixels per centimetre."""
    return {"resolution": (1e4 / micrometres,) * 2, "resolutionunit": "CENTIMETER"}


def _deflate() -> dict[str, Any]:
    return {"compression": "adobe_deflate", "compressionargs": {"level": 9}, "predictor": True}


SAMPLES: dict[str, tuple[WriteSample, int]] = {
    "landscape.jpg": (write_landscape, 16),
    "still_life.webp": (write_still_life, 8),
    "icon.png": (write_icon, 0),
    "island.png": (write_island, 6),
    "galaxy.png": (write_galaxy, 6),
    "pollen.jpg": (write_pollen, 5),
    "nuclei.tif": (write_nuclei, 1),
    "cells.ome.tif": (write_cells, 2),
    "phase.tif": (write_phase, 3),
    "tissue.tif": (write_tissue, 4),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
