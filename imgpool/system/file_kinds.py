"""Kinds of file system entries."""

import stat
from os import stat_result

JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0xA0000003)
"""Tag of the links between folders that Windows has besides symbolic links."""

KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_link(status: stat_result) -> bool:
    """Check whether a file system entry is a symbolic link, or a junction on Windows."""
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == JUNCTION


def kind_of(status: stat_result) -> str:
    """Name the kind of a file system entry, as in a message: "a symbolic link"."""
    if is_link(status):
        return "a symbolic link"
    return KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
