"""Exceptions become a message and a hint."""

import errno
import os

import cv2
import numpy as np
import pytest

from imgpool.core.errors import FilterError, ReadError
from imgpool.core.failures import explain, lacks_memory, stops_the_run
from imgpool.core.task import Failure


def throw(error):
    raise error


def raised(error):
    """The error as it is caught: with a traceback."""
    try:
        throw(error)
    except BaseException as caught:  # noqa: BLE001 - any error at all
        return caught


def system_error(number):
    return raised(OSError(number, os.strerror(number), "/some/file"))


def test_imgpool_error_keeps_its_message_and_hint():
    failure = explain(raised(ReadError("cut off", "copy it again")), "read")
    assert (failure.stage, failure.error) == ("read", "ReadError")
    assert (failure.message, failure.hint) == ("cut off", "copy it again")


@pytest.mark.parametrize("stage", ["read", "filter", "write", "worker"])
def test_stage_and_traceback_are_kept(stage):
    failure = explain(raised(ZeroDivisionError("division by zero")), stage)
    assert (failure.stage, failure.error) == (stage, "ZeroDivisionError")
    assert "ZeroDivisionError: division by zero" in failure.traceback
    assert "Traceback" in failure.traceback


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("a\n  b\tc"), "a filter failed (a b c)"),
        (ValueError(), "a filter failed"),
        (KeyError("x"), "a filter failed ('x')"),
        (OSError("1024 requested and 12 written"), "a filter failed (1024 requested and 12 written)"),
        (SystemExit(3), "a filter failed (3)"),
    ],
)
def test_other_error_is_one_line_without_its_class_name(error, message):
    failure = explain(raised(error), "filter")
    assert failure.message == message
    assert failure.error == type(error).__name__
    assert "`verbose`" in failure.hint


class UnreadableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_error_whose_text_raises_is_explained():
    failure = explain(raised(UnreadableError()), "filter")
    assert failure.error == "UnreadableError"
    assert failure.message == "a filter failed"


def test_text_of_a_decoder_is_only_in_the_traceback():
    failure = explain(raised(ValueError("buffer is not large enough")), "read")
    assert "buffer" not in failure.message + failure.hint
    assert "buffer is not large enough" in failure.traceback


@pytest.mark.parametrize("stage", ["read", "filter", "write", "worker"])
@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
    ],
)
def test_limit_of_the_system_is_explained_at_every_stage(stage, error, remedy):
    failure = explain(raised(error), stage)
    assert "limit" in failure.message
    assert remedy in failure.hint


def test_lack_of_memory_is_explained():
    failure = explain(raised(MemoryError()), "filter")
    assert failure.message == "it needs more memory than is available"
    assert "`max_memory`" in failure.hint
    failure = explain(raised(MemoryError()), "filter", 3_456_789_000)
    assert failure.message == "it needs more memory than is available (about 3,457 MB by its header)"


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError("Unable to allocate 2 GiB"), True),
        (
            ValueError("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory)"),
            True,
        ),
        (RuntimeError("Failed to allocate 92160000 bytes"), True),
        (RuntimeError("std::bad_alloc"), True),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), True),
        (ReadError("the picture does not decode (Out of memory)"), True),
        (ValueError("encoding error 1"), True),
        (ValueError("encoding error 10"), False),
        (ReadError("truncated", "copy it again"), False),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), False),
    ],
)
def test_lack_of_memory_is_recognized_from_every_library(error, lacks):
    assert lacks_memory(raised(error)) is lacks
    assert ("more memory" in explain(error, "read").message) is lacks


def test_lack_of_memory_in_opencv_is_recognized():
    with pytest.raises(cv2.error) as raised:
        cv2.resize(np.zeros((1, 1), np.uint8), (2**31 - 1, 2**31 - 1))
    assert lacks_memory(raised.value)


@pytest.mark.parametrize(
    ("number", "stage", "message"),
    [
        (errno.ENOENT, "read", "no longer exists"),
        (errno.EACCES, "read", "permission denied"),
        (errno.EACCES, "write", "permission denied"),
        (errno.EIO, "read", "input/output error"),
        (errno.ENAMETOOLONG, "write", "too long"),
        (errno.EFBIG, "write", "larger than the file system"),
        (errno.EXDEV, "write", "different file system"),
        (errno.EISDIR, "write", "is a directory"),
    ],
)
def test_system_errors_are_explained(number, stage, message):
    failure = explain(system_error(number), stage)
    assert message in failure.message
    assert "[Errno" not in failure.message
    assert not stops_the_run(failure)


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (errno.ENOSPC, "disk is full", "free some space"),
        (errno.EDQUOT, "quota", "free some space"),
        (errno.EROFS, "read-only", "make it writable"),
        (errno.EIO, "input/output error", "check it"),
        *((number, "is gone", "bring it back") for number in (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN)),
    ],
)
def test_output_that_cannot_be_written_stops_the_run(number, message, hint):
    failure = explain(system_error(number), "write")
    assert stops_the_run(failure)
    assert message in failure.message
    assert hint in failure.hint


def test_same_error_in_another_stage_does_not_stop_the_run():
    for number in (errno.ENOSPC, errno.EIO, errno.ESTALE):
        assert not stops_the_run(explain(system_error(number), "read"))
    assert not stops_the_run(explain(raised(FilterError("the disk is full")), "filter"))
    assert not stops_the_run(None)


def test_failure_consists_of_strings():
    failure = explain(system_error(errno.EIO), "read")
    assert all(isinstance(getattr(failure, name), str) for name in Failure.__slots__)
