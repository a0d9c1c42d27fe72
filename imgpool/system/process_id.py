"""The number of this process, which is needed several times for each image, without a system call each time."""

import functools
import os


@functools.cache
def process_id() -> int:
    """Return the number of this process."""
    return os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=process_id.cache_clear)
