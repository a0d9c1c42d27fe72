"""One thread in every library: the processes are the parallelism."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import cast

ONE_THREAD = dict.fromkeys(
    (
        "BLIS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


def _is_limited() -> bool:
    return ONE_THREAD.items() <= os.environ.items() and sys.modules.keys().isdisjoint({"cv2", "numpy", "scipy"})


_limited = _is_limited()
"""Whether the environment has limited every library from the first on; true of what is forked from here as well."""


def set_one_thread_environment() -> None:
    """Limit libraries that are not loaded yet, in this process and in those that it starts, for good."""
    global _limited  # noqa: PLW0603 - it is the process that is limited
    os.environ.update(ONE_THREAD)
    _limited = _is_limited()


def use_one_thread() -> None:
    """Limit libraries that are loaded already, in this process for good."""
    if not _limited:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit libraries that are loaded already, and by the environment those that are loaded in here.

    OpenCV ends its other threads when it is limited. Before a fork that is a must: a child would wait for ever
    for threads that it does not have.
    """
    cv2 = sys.modules.get("cv2")
    threads = cv2.getNumThreads() if cv2 else 0
    with one_thread_environment(), _loaded_limited():
        if cv2:
            cv2.setNumThreads(1)
        try:
            yield
        finally:
            if cv2:
                cv2.setNumThreads(threads)


def _loaded_limited() -> contextlib.AbstractContextManager[object]:
    if _limited:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    return cast("contextlib.AbstractContextManager[object]", threadpool_limits(1))


@contextlib.contextmanager
def one_thread_environment() -> Iterator[None]:
    """Limit libraries that are loaded in here, and in processes started in here."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
