"""Shrink and sharpen a photo, as in the tutorial of Pillow."""

from PIL import Image, ImageFilter


def process(source: str, target: str) -> None:
    """Process one file."""
    with Image.open(source) as image:
        image.thumbnail((1024, 1024), Image.Resampling.LANCZOS)
        sharp = image.filter(ImageFilter.UnsharpMask(radius=1, percent=100, threshold=0))
        sharp.save(target, quality=90)
