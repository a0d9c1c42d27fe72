"""The prefork host is started while there is one thread, and preloads existing modules."""

import importlib
import os
import subprocess
import sys

import pytest

from imgpool.cli._prefork import PRELOAD_MODULES

THREADS = """
import os, sys
from imgpool.engines.pool.parent import prefork

def start_prefork_host(modules):
    print(len(os.listdir("/proc/self/task")), "cv2" in sys.modules, "imgpool.formats.tiff" in sys.modules)

prefork.start_prefork_host = start_prefork_host
from imgpool.cli._prefork import prepare_process_command
prepare_process_command(["folder"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_has_one_thread_before_the_fork():
    environment = {**os.environ, "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
    command = [sys.executable, "-c", THREADS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1 False True\n"


@pytest.mark.parametrize("module", PRELOAD_MODULES)
def test_preloaded_module_exists(module):
    assert importlib.import_module(module)
