"""What packages say of themselves, and their published tests."""

import math

import numpy as np
import pytest

from imgpool.core.errors import RecipeError, RunError, UsageError
from imgpool.models.check import Difference, check_model, describe_built_in_models, difference, find_model
from tests.support.onnx_files import write_onnx, write_package


def test_every_model_in_the_box_is_known_by_its_name_and_found_again_by_it():
    found = dict(describe_built_in_models())
    assert "denoise" in found
    for name, model in found.items():
        assert find_model(name) == model
        assert model.license
        assert all(tensor.test for tensor in (*model.inputs, *model.outputs))


def test_what_is_not_there_is_bad_usage():
    with pytest.raises(UsageError, match=r"there is no .*/nothing") as caught:
        find_model("nothing")
    assert "imgpool models" in caught.value.hint


def scaled(gain):
    return [{"id": "scale_linear", "kwargs": {"gain": gain}}]


def test_a_model_that_gives_what_was_published_passes(tmp_path):
    check = check_model(find_model(str(write_package(tmp_path / "box3.zip", "box3", channels=3, halo=1))))
    assert [each.output for each in check.differences] == ["y"]
    assert check.passed
    assert check.tolerance == 1e-4
    assert check.seconds > 0


def test_processing_before_and_behind_the_model_belongs_to_the_test(tmp_path):
    both = {"preprocessing": scaled(4.0), "postprocessing": scaled(0.25)}
    assert check_model(find_model(str(write_package(tmp_path / "even", "double", **both)))).passed
    check = check_model(find_model(str(write_package(tmp_path / "odd", preprocessing=scaled(1.5)))))
    assert not check.passed
    (only,) = check.differences
    assert 0.3 < only.largest < 0.5  # half of what is between 0 and 1


def test_the_authors_tolerance_counts(tmp_path):
    near = {"preprocessing": scaled(1.01)}
    assert not check_model(find_model(str(write_package(tmp_path / "strict", **near)))).passed
    tolerant = check_model(find_model(str(write_package(tmp_path / "tolerant", tolerance=0.1, **near))))
    assert (tolerant.passed, tolerant.tolerance) == (True, 0.1)


def test_a_model_without_a_published_test_cannot_be_checked(tmp_path):
    with pytest.raises(RecipeError, match=r"bare\.onnx has no published test"):
        check_model(find_model(str(write_onnx(tmp_path / "bare.onnx"))))


def test_a_model_that_does_not_load_is_told_by_its_name(tmp_path):
    package = write_package(tmp_path / "package", "broken")
    with pytest.raises(RunError, match="package does not load") as caught:
        check_model(find_model(str(package)))
    assert caught.value.__notes__


def test_a_damaged_test_array_is_a_bad_package(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "out.npy").write_bytes(b"no array")
    with pytest.raises(RecipeError, match=r"out\.npy"):
        check_model(find_model(str(package)))


def test_a_check_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(RunError, match=r"it takes longer than 0\.001 s"):
        check_model(find_model(str(write_package(tmp_path / "package"))), timeout=0.001)


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("found", "published", "largest"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([NAN, INF], [NAN, INF], 0.0),
        ([INF], [-INF], INF),
        ([1.0], [INF], INF),
        ([NAN], [1.0], INF),
        ([1.0], [1.0, 1.0], INF),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference_counts_and_none_is_overlooked(found, published, largest):
    found, published = (np.array(values, np.float32) for values in (found, published))
    assert difference("y", found, published).largest == largest


def test_masks_and_whole_numbers_are_compared_without_wrapping():
    zero, one = np.zeros(1, np.uint8), np.ones(1, np.uint8)
    assert difference("y", zero, one) == Difference("y", 1.0)
    assert difference("y", zero.astype(bool), one.astype(bool)).largest == 1
