"""The folders that results are put into: opened below the output folder, without following links."""

import errno
import os
import stat
from contextlib import suppress
from typing import NamedTuple
from weakref import finalize

from imgpool.core.errors import WriteError
from imgpool.core.hint import Hint
from imgpool.system.file_kinds import is_link, kind_of
from imgpool.system.folder import Folder, UnexpectedFileError
from imgpool.system.paths import openable
from imgpool.system.rename import Entry

MAX_OPEN_FOLDERS = 16
"""Folders that stay open; a process may have few descriptors."""


class Target:
    """A target: its folder, which is open, and its name there.

    Attributes
    ----------
    path
        The absolute path, for messages.
    relative
        The path relative to the output folder.
    folder, name
        The folder, and the name in it.
    """

    __slots__ = ("folder", "name", "path", "relative")

    def __init__(self, path: str, relative: str, folder: Folder, name: str) -> None:
        self.path = path
        self.relative = relative
        self.folder = folder
        self.name = name

    @property
    def entry(self) -> Entry:
        """What names it to the functions of `imgpool.system.rename`."""
        return entry_of(self.folder, self.name)


def entry_of(folder: Folder, name: str) -> Entry:
    """Return what names an entry of a folder to the functions of `imgpool.system.rename`."""
    return Entry(folder.at(name), folder.descriptor)


class _OpenFolder(NamedTuple):
    """An open folder.

    Attributes
    ----------
    folder
        The folder.
    entries, identities
        The folders on the way from the output folder to it, and itself, with device and inode of each when it was
        opened.
    """

    folder: Folder
    entries: list[Entry]
    identities: list[tuple[int, int]]


class TargetFolders:
    """Opens the folders of targets, and keeps the last ones open.

    Parameters
    ----------
    output
        Absolute path of the output folder.
    follow_links
        Whether its sub-folders may be links.
    """

    def __init__(self, output: str, *, follow_links: bool) -> None:
        self.output = output
        self._prefix = os.path.join(output, "")
        self._follow_links = follow_links
        self._open: dict[str, _OpenFolder] = {}
        finalize(self, _close, self._open)

    def target(self, path: str, *, create: bool = False) -> Target:
        """Open the folder of a target.

        Parameters
        ----------
        path
            Absolute path of the target.
        create
            Create its folder if it is missing.

        Raises
        ------
        WriteError
            If a folder on the way is a link, or no folder.
        FileNotFoundError
            If there is no such folder.
        """
        relative = self.relative(path)
        folder, _, name = relative.rpartition(os.sep)
        return Target(path, relative, self.folder(folder, create=create), name)

    def entry(self, relative: str) -> Entry:
        """Return what names a target, given by its path relative to the output folder; errors as of `target`."""
        folder, _, name = relative.rpartition(os.sep)
        return entry_of(self.folder(folder), name)

    def relative(self, path: str) -> str:
        """Return the path of a target relative to the output folder; raise `WriteError` if it is not in it."""
        if not path.startswith(self._prefix):
            raise WriteError(f"{path} is not in the output folder", f"choose another folder with {Hint('output')}")
        return path[len(self._prefix) :]

    def folder(self, relative: str, *, create: bool = False) -> Folder:
        """Open a folder by its path relative to the output folder, which is empty for the output folder itself."""
        known = self._open.get(relative)
        if known:
            if not relative or self._is_current(known):
                return known.folder
            self.close(relative)
        if len(self._open) >= MAX_OPEN_FOLDERS:
            self.close(next(name for name in self._open if name))
        folder = self._descend(relative, create=create) if relative else Folder.open(self.output)
        self._open[relative] = self._identified(folder, relative)
        return folder

    def close(self, relative: str) -> None:
        """Close a folder, so that it is opened anew when it is needed next."""
        if known := self._open.pop(relative, None):
            known.folder.close()

    def _identified(self, folder: Folder, relative: str) -> "_OpenFolder":
        names = relative.split(os.sep) if relative else []
        root = self.folder("") if names else folder
        paths = [os.sep.join(names[: depth + 1]) for depth in range(len(names))]
        if root.descriptor is None:
            paths = [openable(os.path.join(root.path, path)) for path in paths]
        entries = [Entry(path, root.descriptor) for path in paths]
        return _OpenFolder(folder, entries, self._identify(entries))

    def _identify(self, entries: list[Entry]) -> list[tuple[int, int]]:
        follow = self._follow_links
        found = [os.stat(path, dir_fd=folder, follow_symlinks=follow) for path, folder in entries]
        return [(status.st_dev, status.st_ino) for status in found]

    def _is_current(self, known: "_OpenFolder") -> bool:
        """Whether an open folder is still what its path leads to; it may have been moved, or replaced by a link."""
        follow_links = self._follow_links
        try:
            for (path, folder), identity in zip(known.entries, known.identities, strict=True):
                status = os.stat(path, dir_fd=folder, follow_symlinks=follow_links)
                if identity != (status.st_dev, status.st_ino):
                    return False
        except OSError:
            return False
        return True

    def _descend(self, relative: str, *, create: bool) -> Folder:
        root = self.folder("")
        try:
            return root.descend(relative, create=create, follow_links=self._follow_links)
        except (UnexpectedFileError, FileNotFoundError, NotADirectoryError) as error:
            self._check_folders(relative)
            if isinstance(error, OSError):
                raise
            missing = os.path.join(self.output, relative)  # it has been changed meanwhile
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), missing) from None

    def _check_folders(self, relative: str) -> None:
        """Raise `WriteError` if a folder on the way is a link, or no folder."""
        path = self.output
        for name in relative.split(os.sep):
            path = os.path.join(path, name)
            with suppress(FileNotFoundError):
                status = os.lstat(openable(path))
                if is_link(status):
                    self._check_link(path, kind_of(status))
                elif not stat.S_ISDIR(status.st_mode):
                    raise WriteError(f"{path} is {kind_of(status)}, where results need a folder", "move it away")

    def _check_link(self, path: str, kind: str) -> None:
        if not self._follow_links:
            hint = f"remove it, or write through it with {Hint('follow_output_links')}"
            raise WriteError(f"{path} is {kind}, and could lead out of the output folder", hint)
        if not os.path.isdir(openable(path)):
            raise WriteError(f"{path} is {kind} that leads to no folder", "remove it")


def _close(folders: dict[str, _OpenFolder]) -> None:
    for known in folders.values():
        known.folder.close()
