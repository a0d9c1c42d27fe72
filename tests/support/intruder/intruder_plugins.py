"""A filter during which a user puts something at the target of the image that is being processed.

With this folder on PYTHONPATH it is installed: ``imgpool_intruder-1.0.dist-info`` names it.
"""

import os
from pathlib import Path

from imgpool.core.filter import image_filter
from imgpool.core.image import Image

MINE = b"years of work"


def save(path, content):
    """Save a file as editors do: write another one, and rename it."""
    temporary = path.with_name(f"{path.name}~")
    temporary.write_bytes(content)
    temporary.rename(path)


def flipped(content):
    """Change one bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def edit(path):
    """Change a file; its size stays."""
    save(path, flipped(path.read_bytes() if path.is_file() else MINE))


def edit_in_place(path):
    """Change a file without another one."""
    content = path.read_bytes() if path.is_file() else MINE
    with path.open("r+b" if path.is_file() else "wb") as file:
        file.write(flipped(content))


def instead(make):
    """Put something else in place of a file."""

    def put(path):
        path.unlink(missing_ok=True)
        make(path)

    return put


def folder(path):
    path.mkdir()
    (path / "notes.txt").write_bytes(MINE)


KINDS = {
    "file": lambda path: save(path, MINE),
    "edited, same size": edit,
    "edited in place": edit_in_place,
    "empty file": lambda path: save(path, b""),
    "link": instead(lambda path: path.symlink_to("notes")),
    "broken link": instead(lambda path: path.symlink_to("nowhere")),
    "folder": instead(folder),
    "pipe": instead(os.mkfifo),
}
"""What users put at a path, whether or not there is a file."""


@image_filter(tiles="no")
def intrude(image: Image, *, orders: str) -> Image:
    """Do what the file in `orders` says that has the number of the image: its first grey level."""
    order = Path(orders, str(image.pixels.flat[0]))
    if order.exists():
        kind, _, target = order.read_text().partition("\n")
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        KINDS[kind](Path(target))
    return image.with_pixels(image.pixels + 1)
