"""Imported beforehand, it lets a process fork once and no more, as a limit on processes does."""

import errno
import itertools
import os

_fork, _count = os.fork, itertools.count()


def fork():
    if next(_count):
        raise OSError(errno.EAGAIN, "no more processes")
    return _fork()


if os.getpid() == os.getsid(0):  # a host, and not the fork server
    os.fork = fork
