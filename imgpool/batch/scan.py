"""Walk the inputs: which files are images, and what was left out and why."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from imgpool.core.catalogue import split_extension
from imgpool.core.errors import UsageError
from imgpool.output.layout import STATE_FOLDER, SYSTEM_FOLDERS, FileId, file_id

OTHER_IMAGES = {
    ".avif", ".heic", ".heif", ".jp2", ".jxl", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".tga",
    ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2",
    ".czi", ".dcm", ".dv", ".fits", ".ims", ".lif", ".lsm", ".mrc", ".nd2", ".ndpi", ".oib", ".oir", ".stk", ".svs",
    ".vsi",
}  # fmt: skip
"""Extensions of cameras, phones and microscopes that no format of imgpool has."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """One image file.

    Attributes
    ----------
    source
        Absolute path.
    relative
        Where it stands below its input, with the input's own name in front when there are several.
    size, mtime_ns
        0 where the file could not be asked; reading it will tell why.
    linked
        Whether the path itself is a link.
    """

    source: str
    relative: str
    size: int
    mtime_ns: int
    linked: bool = False


@dataclass(slots=True)
class Scan:
    """What a walk found.

    Attributes
    ----------
    images
        Sorted by path.
    others
        The number of files that are no images by their extension.
    unread
        How many of them are images all the same, of a kind that imgpool does not read, by extension.
    left_out
        Paths that look like images but are not regular files, with what they are.
    unreadable
        Folders that could not be listed, with the reason; images may be in them.
    folders
        The input folders, and where they led.
    """

    images: list[Found] = field(default_factory=list)
    others: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, OSError]] = field(default_factory=list)
    folders: dict[str, FileId] = field(default_factory=dict)


def scan(inputs: Iterable[str | os.PathLike[str]], output: str) -> Scan:
    """Find every image in the inputs.

    Folders are walked whole, links to folders too, each folder once. Hidden files, the folders that
    operating systems leave behind, and `output` are passed over; so are the results of other runs, unless they
    are an input themselves.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        The folder that results go to.

    Raises
    ------
    UsageError
        If an input is missing, or a file that is no image.
    """
    inputs = list(inputs)
    if "" in inputs:
        raise UsageError("an input has no name", "is a variable of the shell not set?")
    roots = list(dict.fromkeys(os.path.abspath(path) for path in inputs))
    folders = {root: os.path.basename(root) if len(roots) > 1 else "" for root in roots if os.path.isdir(root)}
    walk = _Walk(output, folders)
    walk.folders()
    walked = {found.source for found in walk.result.images}
    for root in roots:
        if root not in folders and root not in walked:
            walk.single(root)
    walk.result.images.sort(key=lambda found: found.source)
    return walk.result


class _Walk:
    """A walk under way: what it found, and which folders it has seen.

    Parameters
    ----------
    roots
        The input folders, each with what its images' relative paths begin with.
    """

    def __init__(self, output: str, roots: Mapping[str, str]) -> None:
        self.result = Scan()
        self.roots = roots
        self.seen: set[tuple[int, int]] = set()
        self.output = file_id(output)

    def single(self, path: str) -> None:
        """Take an input that is named itself: it has to be an image."""
        if not _exists(path):
            raise UsageError(f"{path} does not exist", "check the spelling")
        if split_extension(os.path.basename(path))[1] is None:
            raise UsageError(f"{path}: no format has this extension", "`imgpool formats` lists those that are known")
        self._file(path, os.path.basename(path), linked=os.path.islink(path))

    def folders(self) -> None:
        """Walk the input folders: real ones first, so that what is also linked keeps its real place."""
        links = [link for path, relative in self.roots.items() for link in self._real_folders(path, relative)]
        while links:
            path, relative = links.pop(0)
            links.extend(self._real_folders(path, relative))

    def _real_folders(self, path: str, relative: str) -> Iterator[tuple[str, str]]:
        """Walk a folder and those in it; yield the links to folders met on the way."""
        pending = [(path, relative)]
        while pending:
            path, relative = pending.pop()
            above = os.path.join(relative, "")
            for entry in self._entries(path):
                inside = above + entry.name
                if not _is_folder(entry):
                    self._entry(entry, inside)
                elif entry.is_symlink():
                    yield entry.path, inside
                elif entry.name not in SYSTEM_FOLDERS:
                    pending.append((entry.path, inside))

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        """The entries of a folder that has not been walked yet, without the hidden ones."""
        try:
            status = os.stat(path)
            place = status.st_dev, status.st_ino
            if path in self.roots:
                self.result.folders[path] = place
            if place in self.seen or place == self.output:
                return []
            self.seen.add(place)
            with os.scandir(path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            self.result.unreadable.append((path, error))
            return []
        if path not in self.roots and any(entry.name == STATE_FOLDER for entry in entries):
            self.result.left_out.append((path, "results of another run of imgpool"))
            return []
        return [entry for entry in entries if entry.name[0] != "."]

    def _entry(self, entry: os.DirEntry[str], relative: str) -> None:
        if split_extension(entry.name)[1] is None:
            self.result.others += 1
            extension = os.path.splitext(entry.name)[1].lower()
            self.result.unread.update({extension} & OTHER_IMAGES)
        else:
            self._file(entry.path, relative, linked=entry.is_symlink())

    def _file(self, path: str, relative: str, *, linked: bool) -> None:
        try:
            status = os.stat(path)
        except OSError:  # a broken link, or gone since: reading it will say so, by name
            self.result.images.append(Found(path, relative, 0, 0, linked))
            return
        if stat.S_ISREG(status.st_mode):
            self.result.images.append(Found(path, relative, status.st_size, status.st_mtime_ns, linked))
        else:
            self.result.left_out.append((path, _kind(status.st_mode)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """As `DirEntry.is_dir`; a link to itself, for which that raises, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _exists(path: str) -> bool:
    """As `os.path.lexists`; what lies in a closed folder may exist: reading it will say so."""
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISBLK: "a device",
        stat.S_ISCHR: "a device",
    }
    return next((kind for test, kind in kinds.items() if test(mode)), "no regular file")
