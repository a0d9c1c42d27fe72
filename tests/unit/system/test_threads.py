"""One thread in every library, and the previous number afterwards."""

import json
import os
import subprocess
import sys

import cv2
import pytest
from threadpoolctl import threadpool_info

from imgpool.system.threads import ONE_THREAD, one_thread


@pytest.fixture
def three_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("three_threads")
def test_libraries_use_one_thread_within_the_context():
    environment = {name: os.environ.get(name) for name in ONE_THREAD}
    pools = [pool["num_threads"] for pool in threadpool_info()]
    with one_thread():
        assert cv2.getNumThreads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
        assert {os.environ[name] for name in ONE_THREAD} == {"1"}
    assert cv2.getNumThreads() == 3
    assert [pool["num_threads"] for pool in threadpool_info()] == pools
    assert {name: os.environ.get(name) for name in ONE_THREAD} == environment


@pytest.mark.usefixtures("three_threads")
def test_threads_are_restored_after_an_error():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert cv2.getNumThreads() == 3


SCRIPT = """
import json, os, sys
{before}
from imgpool.system.threads import one_thread, use_one_thread, set_one_thread_environment
set_one_thread_environment()
import cv2, numpy
use_one_thread()
with one_thread():
    pass
searched = "threadpoolctl" in sys.modules
from threadpoolctl import threadpool_info
print(json.dumps([searched, cv2.getNumThreads(), *(pool["num_threads"] for pool in threadpool_info())]))
"""


@pytest.mark.parametrize(("before", "searched"), [("", False), ("import numpy", True)])
def test_libraries_limited_by_the_environment_are_not_searched(before, searched):
    program = SCRIPT.format(before=before)
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    found, *threads = json.loads(done.stdout)
    assert found == searched
    assert set(threads) == {1}
