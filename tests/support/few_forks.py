"""When preloaded, this module lets the host fork only once, as a limit on the number of processes does."""

import errno
import itertools
import os

_fork, _count = os.fork, itertools.count()


def fork():
    if next(_count):
        raise OSError(errno.EAGAIN, "no more processes")
    return _fork()


if os.getpid() == os.getsid(0):  # in a host, not in the fork server
    os.fork = fork
