"""What is begun early: the fork before which there must be one thread, and what is imported meanwhile."""

import importlib
import os
import subprocess
import sys

import pytest

from imgpool.cli._prefork import WARM

THREADS = """
import os, sys
from imgpool.engines.pool.parent import prefork

def start_prefork_host(modules):
    print(len(os.listdir("/proc/self/task")), "cv2" in sys.modules, "imgpool.formats.tiff" in sys.modules)

prefork.start_prefork_host = start_prefork_host
from imgpool.cli._prefork import begin_to_process
begin_to_process(["folder"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_there_is_one_thread_before_the_fork_whatever_the_environment_says():
    environment = {**os.environ, "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
    command = [sys.executable, "-c", THREADS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1 False True\n"


@pytest.mark.parametrize("module", WARM)
def test_what_is_imported_meanwhile_is_there(module):
    assert importlib.import_module(module)
