"""Memory of processes."""

import os
import time
from types import SimpleNamespace

from imgpool.system.memory import MemoryMonitor, total_memory

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
