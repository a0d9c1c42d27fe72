"""Names and paths as different systems understand them.

Most functions take the rules of a system as a parameter, by default those of this system: `ntpath` or `posixpath`.
"""

import itertools
import ntpath
import os
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

MAX_WINDOWS_PATH = 247
"""Characters of the longest path of a folder that every Windows opens, unless it starts with `EXTENDED`."""

EXTENDED = "\\\\?\\"
"""What a path starts with that Windows takes literally, so that it may be long."""

EXTENDED_SHARE = "\\\\?\\UNC\\"
"""The same for a path on a network share."""

RESERVED_NAMES = {"AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"} | {
    f"{device}{number}" for device in ("COM", "LPT") for number in "0123456789¹²³"
}
"""Names of devices on Windows. They stay reserved with any extension."""

FORBIDDEN_CHARACTERS = '<>:"|?*'
"""Characters that names on Windows must not have; nor may they have characters below the space."""

MAX_COMPARED_ENTRIES = 100
"""Entries of a folder to look at, to find out whether its file system ignores case."""


def to_portable(relative: str, rules: ModuleType = os.path) -> str:
    """Return a relative path with slashes, as files that another system may read hold it."""
    return relative.replace("\\", "/") if rules.sep == "\\" else relative


def from_portable(relative: str, rules: ModuleType = os.path) -> str:
    """Return a relative path that `to_portable` has returned, with the separators of this system."""
    return relative.replace("/", "\\") if rules.sep == "\\" else relative


def name_problem(path: str, rules: ModuleType = os.path) -> str:
    """Say why a system does not allow a path, without its drive; empty if it allows it.

    Only Windows forbids names. It would write ``photo. `` to ``photo``, ``con.tif`` to the console, and ``a:b.tif``
    to a hidden part of the file ``a``.
    """
    if rules is not ntpath:
        return ""
    _, below_drive = ntpath.splitdrive(path)
    problems = map(_windows_name_problem, below_drive.replace("/", "\\").split("\\"))
    return next(filter(None, problems), "")


def _windows_name_problem(name: str) -> str:
    if name in {"", ".", ".."}:
        return ""
    if name.partition(".")[0].rstrip(" ").upper() in RESERVED_NAMES:
        return f"{name!r} is a reserved name on Windows"
    if name[-1] in ". ":
        return f"{name!r} ends with a dot or a space, which Windows removes"
    forbidden = next((letter for letter in name if letter in FORBIDDEN_CHARACTERS or letter < " "), None)
    return f"{name!r} contains {forbidden!r}, which Windows does not allow" if forbidden else ""


def extended_path(path: str) -> str:
    """Return a path on Windows in a form that may be longer than 247 characters; a short one as it is."""
    absolute = path if ntpath.isabs(path) else ntpath.abspath(path)
    if len(absolute) <= MAX_WINDOWS_PATH or path.startswith(EXTENDED):
        return path
    absolute = ntpath.normpath(absolute)
    return EXTENDED_SHARE + absolute[2:] if absolute.startswith("\\\\") else EXTENDED + absolute


def plain_path(path: str) -> str:
    """Return the path from which `extended_path` has made another; one that is not extended as it is."""
    if path.startswith(EXTENDED_SHARE):
        return "\\\\" + path[len(EXTENDED_SHARE) :]
    return path.removeprefix(EXTENDED)


def _unchanged(path: str) -> str:
    return path


openable: Callable[[str], str] = extended_path if os.path is ntpath else _unchanged
"""Return a path that this system can open, however long the path is that it is given."""

plain: Callable[[str], str] = plain_path if os.path is ntpath else _unchanged
"""Return a path as people write it, which `openable` may have extended."""


portable: Callable[[str], str] = to_portable if os.path is ntpath else _unchanged
"""`to_portable` by the rules of this system."""

native: Callable[[str], str] = from_portable if os.path is ntpath else _unchanged
"""`from_portable` by the rules of this system."""

USES_SLASHES = native is _unchanged
"""Whether relative paths of this system are portable as they are. Asking first saves a call for each of a million."""


def fold(path: str) -> str:
    """Normalize a path: two paths with one result are one file where case and Unicode composition are ignored."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", path).casefold())


def compose(path: str) -> str:
    """Normalize a path: two paths with one result are one file where Unicode composition is ignored."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def name_folding(folder: str, platform: str = sys.platform) -> Callable[[str], str]:
    """Return the function that makes two paths equal if they are one file below a folder.

    The file system is asked, without writing anything. If it does not tell, it is taken for one that ignores case.

    Parameters
    ----------
    folder
        A folder, which need not exist yet.
    platform
        The system, as `sys.platform` names it. macOS ignores Unicode composition even if the case matters.
    """
    if ignores_case(nearest_existing(folder)) is not False:
        return fold
    return compose if platform == "darwin" else _unchanged


def nearest_existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
    return next((each for each in (path, *map(str, Path(path).parents)) if os.path.lexists(openable(each))), path)


def ignores_case(folder: str) -> bool | None:
    """Whether names in a folder are the same if only their case differs; None if that cannot be seen there."""
    try:
        with os.scandir(openable(folder)) as entries:
            names = [entry.name for entry in itertools.islice(entries, MAX_COMPARED_ENTRIES)]
    except OSError:
        return None
    found = _ignores_case(folder, names)
    if found is None and not os.path.ismount(folder):
        parent, name = os.path.split(os.path.abspath(folder))
        return _ignores_case(parent, [name])
    return found


def _ignores_case(folder: str, names: Iterable[str]) -> bool | None:
    """Compare the first entry whose name has letters with the entry of the name in the other case."""
    for name in names:
        other = name.swapcase()
        if other == name or other.lower() != name.lower():
            continue
        try:
            status = os.lstat(openable(os.path.join(folder, name)))
            return os.path.samestat(status, os.lstat(openable(os.path.join(folder, other))))
        except FileNotFoundError:
            return False
        except OSError:
            return None
    return None


def lies_inside(path: str, folder: str) -> bool:
    """Whether a path, which need not exist, is a folder or lies below it; links and the case of names are respected."""
    real_path, real_folder = os.path.realpath(path), os.path.realpath(folder)
    identity = _identity(real_folder)
    above = (real_path, *map(str, Path(real_path).parents))
    if identity is None:
        return os.path.normcase(real_folder) in map(os.path.normcase, above)
    return any(_identity(each) == identity for each in above)


def _identity(path: str) -> tuple[int, int] | None:
    """Device and number of a folder; None if it does not exist or its file system has no numbers."""
    try:
        status = os.stat(openable(path))
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino and stat.S_ISDIR(status.st_mode) else None
