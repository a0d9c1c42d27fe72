"""The exceptions that imgpool raises on purpose."""

import inspect
import pickle

import pytest

from imgpool.core import errors
from imgpool.core.errors import (
    FilterError,
    ImageError,
    ImgpoolError,
    ReadError,
    RecipeError,
    RunError,
    UsageError,
    WorkerError,
    WriteError,
)

ALL_ERRORS = [error for _, error in inspect.getmembers(errors, inspect.isclass)]


def test_every_error_belongs_to_one_branch():
    assert issubclass(RecipeError, UsageError)
    assert issubclass(WorkerError, RunError)
    assert all(issubclass(error, ImageError) for error in (ReadError, FilterError, WriteError))
    for branch in (UsageError, RunError, ImageError):
        assert issubclass(branch, ImgpoolError)
        assert not any(issubclass(branch, other) for other in (UsageError, RunError, ImageError) if other is not branch)


@pytest.mark.parametrize("error", ALL_ERRORS)
def test_pickling_keeps_message_and_hint(error):
    raised = error("bad.tif is cut off", "copy it again")
    twin = pickle.loads(pickle.dumps(raised))
    assert type(twin) is error
    assert (twin.message, twin.hint) == ("bad.tif is cut off", "copy it again")


def test_text_includes_the_hint():
    assert str(ReadError("cut off", "copy it again")) == "cut off (copy it again)"
    assert str(ReadError("cut off")) == "cut off"
