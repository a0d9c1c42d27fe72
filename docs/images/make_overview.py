"""Draw the picture of the README: sample images before and after `imgpool process`.

Run from the top of the repository::

    python docs/images/make_overview.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.color import label2rgb

import imgpool

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "images" / "overview.jpg"
SIDE_PX = 300
GAP_PX = 14
CAPTION_PX = 44

EXAMPLES = [
    ("galaxy.png", "-f rescale_intensity", ["-f", "rescale_intensity:in=1%..99.8%"]),
    ("nuclei.tif", "-r nuclei", ["-r", "nuclei", "--to", "tiff"]),
    ("tissue.tif", "-f separate_stains", ["-f", "separate_stains", "-f", "select:c=0", "--to", "tiff"]),
    ("landscape.jpg", "-r thumbnail", ["-r", "thumbnail"]),
]
"""Source, caption, and the options of `imgpool process`."""


def to_8_bits(image: imgpool.Image) -> np.ndarray:
    """Scale pixels to 8 bits for display: grey levels by their maximum, colour by the range of its dtype."""
    pixels = image.pixels
    if pixels.dtype == np.uint8:
        return pixels
    white = np.iinfo(pixels.dtype).max if image.has_samples else float(pixels.max())
    return np.clip(pixels / white * 255, 0, 255).astype(np.uint8)


def to_picture(image: imgpool.Image, *, labels: bool) -> Image.Image:
    """Render an image as a square RGB picture; labels get a colour each."""
    pixels = (255 * label2rgb(image.pixels, bg_label=0)).astype(np.uint8) if labels else to_8_bits(image)
    picture = Image.fromarray(pixels).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def process(source: Path, options: list[str], folder: Path) -> Path:
    """Run the command on one image and return the result's path."""
    command = [sys.executable, "-m", "imgpool", "process", str(source), *options, "-o", str(folder), "-q"]
    subprocess.run(command, check=True)
    return next(path for path in folder.iterdir() if path.is_file())


def main() -> None:
    """Process every example and write the picture."""
    width = len(EXAMPLES) * (SIDE_PX + GAP_PX) + GAP_PX
    height = 2 * (SIDE_PX + GAP_PX) + GAP_PX + CAPTION_PX
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=18)
    for column, (name, caption, options) in enumerate(EXAMPLES):
        left = GAP_PX + column * (SIDE_PX + GAP_PX)
        source = ROOT / "sample_images" / name
        with tempfile.TemporaryDirectory() as folder:
            result = imgpool.read(process(source, options, Path(folder)))
        before = to_picture(imgpool.read(source), labels=False)
        sheet.paste(before, (left, GAP_PX))
        sheet.paste(to_picture(result, labels="nuclei" in caption), (left, 2 * GAP_PX + SIDE_PX))
        middle = left + SIDE_PX / 2
        draw.text((middle, height - CAPTION_PX / 2 - 4), caption, fill="black", font=font, anchor="mm")
    sheet.save(TARGET, quality=90)


if __name__ == "__main__":
    main()
