"""Find the image files in the inputs, and report what was ignored and why."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from imgpool.core.catalogue import split_extension
from imgpool.core.errors import UsageError
from imgpool.output.layout import STATE_FOLDER, SYSTEM_FOLDERS, FileId, file_id
from imgpool.system.paths import openable, plain

UNSUPPORTED_EXTENSIONS = {
    ".avif", ".heic", ".heif", ".jp2", ".jxl", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".tga",
    ".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2",
    ".czi", ".dcm", ".dv", ".fits", ".ims", ".lif", ".lsm", ".mrc", ".nd2", ".ndpi", ".oib", ".oir", ".stk", ".svs",
    ".vsi",
}  # fmt: skip
"""Extensions of images from cameras, phones and microscopes that no format of imgpool reads."""


class ImageFile(msgspec.Struct, frozen=True, gc=False):
    """One image file.

    Attributes
    ----------
    source
        Absolute path.
    start
        Index in `source` at which the relative path starts.
    size, mtime_ns
        Bytes and modification time; 0 if the file could not be examined: reading it will report why.
    """

    source: str
    start: int
    size: int
    mtime_ns: int

    @property
    def relative(self) -> str:
        """Path below the input; it begins with the name of the input if there are several inputs."""
        return self.source[self.start :]


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan found besides the images.

    Attributes
    ----------
    other_files
        Number of files without the extension of a supported image format.
    unsupported
        Among them, the number of images that imgpool does not read, by extension.
    excluded
        Paths that look like images or folders of images but are not processed, each with the reason.
    unreadable
        Folders that could not be listed, each with the error; they may contain images.
    folders
        Path and identity of every input folder.
    links
        Paths of the images that are symbolic links.
    """

    other_files: int = 0
    unsupported: Mapping[str, int] = field(default_factory=dict)
    excluded: tuple[tuple[str, str], ...] = ()
    unreadable: tuple[tuple[str, OSError], ...] = ()
    folders: Mapping[str, FileId] = field(default_factory=dict)
    links: frozenset[str] = frozenset()


def scan(inputs: Iterable[str | os.PathLike[str]], output: str = "") -> tuple[list[ImageFile], ScanReport]:
    """Find every image in the inputs.

    The scan is recursive and follows links to folders; each folder is visited once. Hidden files, folders that
    operating systems create and `output` are ignored. The results of other runs are excluded, unless their folder
    is itself an input.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        The output folder; empty if there is none.

    Returns
    -------
    images : list of ImageFile
        Sorted by path.
    report : ScanReport
        What else was found.

    Raises
    ------
    UsageError
        If an input is missing, or is a file that is not an image.
    """
    inputs = list(inputs)
    if "" in inputs:
        raise UsageError("an input is an empty text", "check whether a shell variable is unset")
    roots = list(dict.fromkeys(plain(os.path.abspath(path)) for path in inputs))
    starts = {root: _relative_start(root, several=len(roots) > 1) for root in roots if os.path.isdir(openable(root))}
    scanner = _Scanner(output, starts)
    scanner.add_folders()
    found = {image.source for image in scanner.images}
    for root in roots:
        if root not in starts and root not in found:
            scanner.add_input_file(root)
    scanner.images.sort(key=lambda image: image.source)
    return scanner.images, scanner.report()


def _relative_start(root: str, *, several: bool) -> int:
    """Return the index at which relative paths start in the paths below an input folder."""
    return len(os.path.join(os.path.dirname(root) if several else root, ""))


class _Scanner:
    """Collects images from folders and files.

    Parameters
    ----------
    output
        Folder to ignore.
    roots
        The input folders, each with the index at which relative paths start.
    """

    def __init__(self, output: str, roots: Mapping[str, int]) -> None:
        self.images: list[ImageFile] = []
        self._roots = roots
        self._output = file_id(output)
        self._visited: set[FileId] = set()
        self._folders: dict[str, FileId] = {}
        self._links: set[str] = set()
        self._other_files = 0
        self._unsupported: Counter[str] = Counter()
        self._excluded: list[tuple[str, str]] = []
        self._unreadable: list[tuple[str, OSError]] = []

    def report(self) -> ScanReport:
        """Return what was found besides the images."""
        return ScanReport(
            other_files=self._other_files,
            unsupported=self._unsupported,
            excluded=tuple(self._excluded),
            unreadable=tuple(self._unreadable),
            folders=self._folders,
            links=frozenset(self._links),
        )

    def add_input_file(self, path: str) -> None:
        """Add a file that is itself an input; raise `UsageError` if it is not an image."""
        if not _exists(path):
            raise UsageError(f"{path} does not exist", "check the spelling")
        name = os.path.basename(path)
        if split_extension(name)[1] is None:
            raise UsageError(f"{path} is not a supported image", "`imgpool formats` lists the supported formats")
        self._add_file(path, len(path) - len(name), is_link=os.path.islink(openable(path)))

    def add_folders(self) -> None:
        """Add the input folders; links to folders come last, so that an image is found at its real path first."""
        links = [link for path, start in self._roots.items() for link in self._add_real_folders(path, start)]
        while links:
            path, start = links.pop(0)
            links.extend(self._add_real_folders(path, start))

    def _add_real_folders(self, path: str, start: int) -> Iterator[tuple[str, int]]:
        """Add a folder and its subfolders; yield the links to folders in them."""
        pending = [path]
        while pending:
            for entry in self._entries(pending.pop()):
                if not _is_folder(entry):
                    self._add_entry(entry, start)
                elif entry.is_symlink():
                    yield plain(entry.path), start
                elif entry.name not in SYSTEM_FOLDERS:
                    pending.append(plain(entry.path))

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        """List a folder without hidden entries; empty if it was visited before or is excluded."""
        try:
            status = os.stat(openable(path))
            identity = status.st_dev, status.st_ino
            if path in self._roots:
                self._folders[path] = identity
            if identity in self._visited or identity == self._output:
                return []
            self._visited.add(identity)
            with os.scandir(openable(path)) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            self._unreadable.append((path, error))
            return []
        if path not in self._roots and any(entry.name == STATE_FOLDER for entry in entries):
            self._excluded.append((path, "results of another imgpool run"))
            return []
        return [entry for entry in entries if entry.name[0] != "."]

    def _add_entry(self, entry: os.DirEntry[str], start: int) -> None:
        if split_extension(entry.name)[1] is None:
            self._other_files += 1
            extension = os.path.splitext(entry.name)[1].lower()
            self._unsupported.update({extension} & UNSUPPORTED_EXTENSIONS)
        else:
            self._add_file(plain(entry.path), start, is_link=entry.is_symlink())

    def _add_file(self, path: str, start: int, *, is_link: bool) -> None:
        if is_link:
            self._links.add(path)
        try:
            status = os.stat(openable(path))
        except OSError:  # a broken link, or a file deleted since: reading it will report that
            self.images.append(ImageFile(path, start, 0, 0))
            return
        if stat.S_ISREG(status.st_mode):
            self.images.append(ImageFile(path, start, status.st_size, status.st_mtime_ns))
        else:
            self._excluded.append((path, _describe_type(status.st_mode)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Like `DirEntry.is_dir`, but False for a link to itself, for which that raises an error."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _exists(path: str) -> bool:
    """Like `os.path.lexists`, but True for a path in an unreadable folder: reading it will report the error."""
    try:
        os.lstat(openable(path))
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _describe_type(mode: int) -> str:
    descriptions = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISBLK: "a device",
        stat.S_ISCHR: "a device",
    }
    return next((name for is_type, name in descriptions.items() if is_type(mode)), "not a regular file")
