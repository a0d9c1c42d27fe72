"""Renaming that never replaces a file unnoticed, by whichever means the file system offers."""

from dataclasses import dataclass
from typing import Literal

NewFile = Literal["rename", "link", "create"]


@dataclass(frozen=True, slots=True)
class Placing:
    """How files are renamed in a folder.

    Attributes
    ----------
    new
        How a name is given that must not be in use: by a rename that refuses to replace, by a link, or by creating an
        empty file and renaming over it.
    exchange
        Whether two names can be exchanged in one step.
    """

    new: NewFile = "create"
    exchange: bool = False
