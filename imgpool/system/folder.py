"""Open folders. What they contain is used through their descriptor, and no link in them is followed.

A path can lead to another place at each use: someone may replace a folder by a link in between. A descriptor always
means the same folder, even if it is renamed. `Folder` therefore opens a folder once, and names everything in it
relative to its descriptor. Where the system has no such descriptors (Windows), it works with paths, and checks each
name before and after it is opened.
"""

import errno
import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Self

from imgpool.core.errors import RunError
from imgpool.system.durability import sync_file
from imgpool.system.file_kinds import is_link, kind_of
from imgpool.system.paths import openable

MAX_DEPTH = 64
"""Folders within each other that `Folder.remove_tree` opens at the same time; deeper ones stay."""

CLOSED = -1
"""Descriptor of a folder that was closed: the system refuses it."""


class UnexpectedFileError(RunError):
    """A link, pipe, socket, device, folder or file is where something else must be; nothing was opened or changed."""


class Folder:
    """An open folder, as a context manager that closes it. `Folder.open` and `subfolder` return one.

    Attributes
    ----------
    path : str
        Its absolute path when it was opened, for messages.
    descriptor : int or None
        Names the folder to the system; None where the system has no descriptors of folders. Together with `at`, it
        serves every function of `os` that takes ``dir_fd``: ``os.stat(folder.at(name), dir_fd=folder.descriptor)``.
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a folder by its path, which may lead through links or be one.

        Raises
        ------
        OSError
            If there is none, or it must not be opened.
        """
        absolute = os.path.abspath(path)
        if _has_descriptors():
            return cls(absolute, os.open(absolute, _folder_flags()))
        if not stat.S_ISDIR(os.stat(openable(absolute)).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), absolute)
        return cls(absolute, None)

    def subfolder(self, name: str, *, create: bool = False, follow_links: bool = False) -> "Folder":
        """Open a folder in this folder.

        Parameters
        ----------
        name
            One component of a path.
        create
            Create it if there is nothing of this name.
        follow_links
            Accept a link to a folder.

        Raises
        ------
        UnexpectedFileError
            If it is a link, or anything else than a folder.
        OSError
            If there is none, or it must not be opened.
        """
        if create:
            with suppress(FileExistsError):
                self.create_folder(name)
        path = os.path.join(self.path, name)
        if self.descriptor is None or follow_links:
            self.check(name, "a folder", follow_links=follow_links)
        if self.descriptor is None:
            return Folder(path, None)
        flags = _folder_flags() if follow_links else _folder_flags() | os.O_NOFOLLOW
        try:
            return Folder(path, os.open(self.at(name), flags, dir_fd=self.descriptor))
        except OSError:
            self.check(name, "a folder", follow_links=follow_links)
            raise

    def descend(self, path: str, *, create: bool = False, follow_links: bool = False) -> "Folder":
        """Open a folder below this one, component by component; parameters and errors as of `subfolder`.

        Parameters
        ----------
        path
            Relative path; empty for another descriptor of this folder.
        create
            Create the folders that do not exist.
        follow_links
            Accept links to folders.
        """
        copy = None if self.descriptor is None else os.dup(self.descriptor)
        folder = Folder(self.path, copy)
        for name in path.split(os.sep) if path else ():
            with folder:
                folder = folder.subfolder(name, create=create, follow_links=follow_links)
        return folder

    def open_file(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open a regular file in this folder; never wait for the other end of a pipe.

        Parameters
        ----------
        name
            One component of a path.
        flags
            As for `os.open`. ``O_TRUNC`` would empty a file before its kind is known: do not use it.
        mode
            Permissions of a new file.

        Returns
        -------
        int
            Its descriptor, which child processes that run another program do not inherit.

        Raises
        ------
        UnexpectedFileError
            If it is a link, or anything else than a regular file.
        OSError
            If it cannot be opened.
        """
        exclusive = bool(flags & os.O_EXCL)
        if not exclusive:
            self.check(name, "a file", missing_ok=bool(flags & os.O_CREAT))
        try:
            descriptor = os.open(self.at(name), flags | _file_flags(), mode, dir_fd=self.descriptor)
        except OSError:
            if not exclusive:
                self.check(name, "a file", missing_ok=True)
            raise
        try:
            self._check_opened(name, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def at(self, name: str) -> str:
        """Return what names an entry of this folder to a function of `os`, together with ``dir_fd=folder.descriptor``.

        Parameters
        ----------
        name
            One component of a path.

        Raises
        ------
        ValueError
            If it is more than that: it must not lead out of the folder.
        """
        if not name or name in {".", ".."} or "\0" in name or os.path.basename(name) != name:
            raise ValueError(f"not the name of an entry of a folder: {name!r}")
        return name if self.descriptor is not None else openable(os.path.join(self.path, name))

    def check(self, name: str, expected: str, *, missing_ok: bool = False, follow_links: bool = False) -> None:
        """Raise `UnexpectedFileError` if an entry is not of a kind: "a file" or "a folder"."""
        try:
            status = os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=follow_links)
        except FileNotFoundError:
            if missing_ok:
                return
            raise
        self._check_status(name, status, expected)

    def status(self, name: str) -> os.stat_result:
        """Return the status of an entry; of the link itself if it is one."""
        return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)

    def own_status(self) -> os.stat_result:
        """Return the status of the folder itself."""
        return os.stat(openable(self.path) if self.descriptor is None else self.descriptor)

    def exists(self, name: str) -> bool:
        """Check whether there is an entry of any kind."""
        try:
            self.status(name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def names(self) -> list[str]:
        """Return the names of all entries."""
        if self.descriptor is None:
            return os.listdir(openable(self.path))
        readable = self._reopened()
        try:
            return os.listdir(readable)
        finally:
            os.close(readable)

    def create_folder(self, name: str, mode: int = 0o777) -> None:
        """Create a folder; raise `FileExistsError` if there is an entry of any kind."""
        os.mkdir(self.at(name), mode, dir_fd=self.descriptor)

    def replace(self, name: str, folder: "Folder", new_name: str) -> None:
        """Rename an entry, also to another folder; replace a file or a link that has the new name."""
        os.replace(self.at(name), folder.at(new_name), src_dir_fd=self.descriptor, dst_dir_fd=folder.descriptor)

    def touch(self, name: str) -> None:
        """Set the time of a regular file to now."""
        descriptor = self.open_file(name)
        try:
            os.utime(descriptor if os.utime in os.supports_fd else self.at(name))
        finally:
            os.close(descriptor)

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Remove a file, a link or a special file."""
        try:
            os.unlink(self.at(name), dir_fd=self.descriptor)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self.at(name), dir_fd=self.descriptor)

    def remove_tree(self, name: str, depth: int = MAX_DEPTH) -> None:
        """Remove an entry, and all that it contains if it is a folder. Links are removed, not followed.

        Other file systems that are mounted within are left alone. What cannot be removed does not keep the rest.

        Raises
        ------
        OSError
            If something is left.
        """
        status = self.status(name)
        if is_link(status) or not stat.S_ISDIR(status.st_mode):
            self.unlink(name)
            return
        with self.subfolder(name) as folder:
            if depth and status.st_dev == self._device():
                for each in folder.names():
                    with suppress(OSError, UnexpectedFileError):
                        folder.remove_tree(each, depth - 1)
        self.remove_folder(name)

    def clock_ns(self) -> int:
        """Return the time by the clock of the file system, from a file that is removed at once."""
        name = f"clock-{os.urandom(8).hex()}.tmp"
        descriptor = self.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            return os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)
            self.unlink(name)

    def sync(self) -> None:
        """Make the names in this folder durable, if the system can."""
        if self.descriptor is None:
            return
        with suppress(OSError):
            readable = self._reopened()
            try:
                sync_file(readable)
            finally:
                os.close(readable)

    def close(self) -> None:
        """Close the descriptor; the folder cannot be used any more."""
        descriptor, self.descriptor = self.descriptor, CLOSED
        if descriptor is not None and descriptor != CLOSED:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _reopened(self) -> int:
        """Open the folder for reading: its own descriptor only serves to name entries."""
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.descriptor)

    def _device(self) -> int:
        return self.own_status().st_dev

    def _check_opened(self, name: str, descriptor: int) -> None:
        """Check the kind of an open file; without ``O_NOFOLLOW``, also that it is what has the name."""
        status = os.fstat(descriptor)
        self._check_status(name, status, "a file")
        if not hasattr(os, "O_NOFOLLOW"):
            named = self.status(name)
            self._check_status(name, named, "a file")
            if not os.path.samestat(status, named):
                raise _unexpected_file_error(os.path.join(self.path, name), "a symbolic link", "a file")

    def _check_status(self, name: str, status: os.stat_result, expected: str) -> None:
        found = kind_of(status)
        if found != expected:
            raise _unexpected_file_error(os.path.join(self.path, name), found, expected)


def _unexpected_file_error(path: str, found: str, expected: str) -> UnexpectedFileError:
    return UnexpectedFileError(
        f"{path} is {found}, where imgpool needs {expected} of its own", "move it away, then run the same command again"
    )


def _has_descriptors() -> bool:
    """Check whether the system can name entries relative to the descriptor of a folder."""
    return hasattr(os, "O_DIRECTORY") and hasattr(os, "O_NOFOLLOW") and bool(os.supports_dir_fd)


def _folder_flags() -> int:
    """Flags to open a folder in order to name its entries: where the system can, it need not be readable."""
    return os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_CLOEXEC", 0)


def _file_flags() -> int:
    """Flags to open a file of any name: links are refused, and pipes do not block."""
    flags = 0
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    return flags
