"""Reuse of freed memory."""

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


def page_faults(*, keep):
    run = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="specific to glibc")
def test_new_array_reuses_freed_memory():
    assert page_faults(keep=True) < 0.3 * page_faults(keep=False)
