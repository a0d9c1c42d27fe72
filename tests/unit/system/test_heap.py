"""Memory that was freed serves again."""

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from imgpool.system.heap import keep_freed_memory
if {keep}:
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    arrays = [np.ones(1 << 18), np.ones(1 << 18)]
    arrays.clear()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, keep):
    run = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="of glibc alone")
def test_an_array_is_made_in_the_memory_of_the_one_before():
    assert faults(keep=True) < 0.3 * faults(keep=False)
