import pytest

from imgpool.core.errors import ReadError, WorkerError
from imgpool.engines.shared.errors import SetupFailure


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


def test_message_of_a_foreign_error_starts_with_its_class():
    assert failure_of(KeyError("weights")).message == "KeyError: 'weights'"
