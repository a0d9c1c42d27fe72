"""Memory of processes."""

import os
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from imgpool.system.memory import MemoryMonitor, memory_use, peak_memory, reset_peak_memory, total_memory

MISSING_PID = 2**22 + 1  # above the largest process id of any system


def test_memory_that_processes_share_counts_once():
    processes = [SimpleNamespace(rss=100, shared=40), SimpleNamespace(rss=80, shared=30)]
    assert total_memory(processes) == 60 + 50 + 40
    assert total_memory([SimpleNamespace(rss=100), SimpleNamespace(rss=80)]) == 180
    assert total_memory([]) == 0


def test_monitor_records_the_peak_of_watched_processes():
    with MemoryMonitor() as monitor:
        monitor.watch(os.getpid())
        monitor.watch(MISSING_PID)
        end = time.monotonic() + 10
        while not monitor.peak and time.monotonic() < end:
            time.sleep(0.01)
    assert monitor.peak == monitor.total_peak > 10_000_000


def test_memory_use_is_that_of_this_process():
    use = memory_use()
    assert use.current == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert use.peak >= use.current
    assert peak_memory() > 10_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak")
def test_peak_can_be_reset():
    size = 100_000_000
    before = memory_use().current
    bytearray(size)
    assert memory_use().peak > before + 0.9 * size
    reset_peak_memory()
    assert memory_use().peak < before + 0.5 * size
