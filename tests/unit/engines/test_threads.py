"""One thread in every library, and the threads given back afterwards."""

import os

import cv2
import pytest
from threadpoolctl import threadpool_info

from imgpool.engines._threads import ONE_THREAD, one_thread


@pytest.fixture
def three_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("three_threads")
def test_libraries_use_one_thread_inside_and_their_own_number_after():
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
def test_threads_are_given_back_after_an_error():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert cv2.getNumThreads() == 3
