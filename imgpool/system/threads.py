"""One thread in every library: imgpool computes in parallel by processes."""

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
"""Environment variables that limit libraries to one thread when they are loaded."""


def _is_limited() -> bool:
    return ONE_THREAD.items() <= os.environ.items() and sys.modules.keys().isdisjoint({"cv2", "numpy", "scipy"})


_limited = _is_limited()
"""Whether the environment limited every library before it was loaded; also true in processes forked from here."""


def set_one_thread_environment() -> None:
    """Limit libraries that are not loaded yet, permanently, in this process and those it starts."""
    global _limited  # noqa: PLW0603 - the limit applies to the process
    os.environ.update(ONE_THREAD)
    _limited = _is_limited()


def use_one_thread() -> None:
    """Limit libraries that are loaded already, permanently, in this process."""
    if not _limited:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit libraries to one thread within this context, whether loaded before or in it.

    OpenCV ends its other threads when it is limited. This is necessary before a fork: a forked process would wait
    forever for threads that it does not have.
    """
    cv2 = sys.modules.get("cv2")
    threads = cv2.getNumThreads() if cv2 else 0
    with one_thread_environment(), _limit_loaded():
        if cv2:
            cv2.setNumThreads(1)
        try:
            yield
        finally:
            if cv2:
                cv2.setNumThreads(threads)


def _limit_loaded() -> contextlib.AbstractContextManager[object]:
    if _limited:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    return cast("contextlib.AbstractContextManager[object]", threadpool_limits(1))


@contextlib.contextmanager
def one_thread_environment() -> Iterator[None]:
    """Limit libraries that are loaded within this context, and in processes started in it."""
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
