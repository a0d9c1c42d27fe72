import errno

import pytest

from imgpool.core.errors import ReadError, WorkerError
from imgpool.engines.shared.errors import SetupFailure
from imgpool.system.start_errors import StartError


def failure_of(error):
    try:
        raise error
    except type(error) as raised:
        return SetupFailure.from_error(raised)


def test_setup_failure_keeps_the_traceback_in_its_notes():
    with pytest.raises(WorkerError) as caught:
        raise failure_of(ReadError("the model does not load", "download it again")).as_error()
    assert (caught.value.message, caught.value.hint) == ("the model does not load", "download it again")
    assert "test_errors.py" in caught.value.__notes__[0]


def test_message_of_a_foreign_error_names_no_class():
    failure = failure_of(KeyError("weights"))
    assert failure.message == "a worker could not be set up: 'weights'"
    assert "KeyError" in failure.traceback


@pytest.mark.parametrize(
    ("error", "fewer_may_start"),
    [
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (RuntimeError("can't start new thread"), True),
        (MemoryError(), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (OSError(errno.EROFS, "Read-only file system", "/dev/shm/pym-1"), False),
        (OSError("AF_UNIX path too long"), False),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"), False),
        (OSError(errno.EFBIG, "File too large"), False),
    ],
)
def test_refused_start_has_a_remedy_and_may_succeed_later(error, fewer_may_start):
    raised = SetupFailure.from_start_error(error).as_error()
    assert isinstance(raised, StartError)
    assert raised.fewer_may_start is fewer_may_start
    assert raised.hint
    assert "Errno" not in raised.message


def test_defect_while_starting_is_not_taken_for_a_limit():
    assert not isinstance(SetupFailure.from_start_error(RuntimeError("a defect")).as_error(), StartError)
