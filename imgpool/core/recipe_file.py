"""Read the text of a recipe file."""

import os
import stat
from pathlib import Path

from imgpool.core.errors import RecipeError

MAX_FILE_BYTES = 1 << 20
"""Largest recipe file; recipes have a few hundred bytes."""


def read_recipe_text(path: Path) -> str:
    """Return the text of a recipe file.

    Raises
    ------
    RecipeError
        If it cannot be read, is not a regular file or not UTF-8 text, or is too large to be a recipe.
    """
    name = repr(os.fspath(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise RecipeError(f"the recipe {name} is not a regular file", "save it as a file first")
        if status.st_size > MAX_FILE_BYTES:
            raise RecipeError(
                f"the recipe {name} has {status.st_size:,} bytes, more than the {MAX_FILE_BYTES:,} that are allowed",
                "name a recipe, not an image",
            )
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise RecipeError(f"the recipe {name} is not UTF-8 text", "save it as UTF-8") from error
        reason = (error.strerror or "unknown reason").lower()
        hint = "check the spelling" if isinstance(error, FileNotFoundError) else "check the file and its permissions"
        raise RecipeError(f"the recipe {name} cannot be read: {reason}", hint) from error
