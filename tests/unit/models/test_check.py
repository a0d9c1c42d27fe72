"""Models are found by name or path, and their published tests are run."""

import math

import numpy as np
import pytest

from imgpool.core.errors import RecipeError, RunError, UsageError
from imgpool.models.check import TensorDifference, check_model, compare_arrays, describe_built_in_models, find_model
from tests.support.onnx_files import write_onnx, write_package


def test_built_in_models_are_found_by_name():
    found = dict(describe_built_in_models())
    assert "denoise" in found
    for name, model in found.items():
        assert find_model(name) == model
        assert model.license
        assert all(tensor.test_array for tensor in (*model.inputs, *model.outputs))


def test_missing_model_is_a_usage_error():
    with pytest.raises(UsageError, match=r"there is no .*/nothing") as caught:
        find_model("nothing")
    assert "built-in model" in caught.value.hint


def scaled(gain):
    return [{"id": "scale_linear", "kwargs": {"gain": gain}}]


def test_model_with_the_published_output_passes(tmp_path):
    check = check_model(find_model(str(write_package(tmp_path / "box3.zip", "box3", channels=3, halo=1))))
    assert [each.output for each in check.differences] == ["y"]
    assert check.passed
    assert check.tolerance == 1e-4
    assert check.predict_seconds > 0


def test_check_includes_pre_and_postprocessing(tmp_path):
    both = {"preprocessing": scaled(4.0), "postprocessing": scaled(0.25)}
    assert check_model(find_model(str(write_package(tmp_path / "even", "double", **both)))).passed
    check = check_model(find_model(str(write_package(tmp_path / "odd", preprocessing=scaled(1.5)))))
    assert not check.passed
    (only,) = check.differences
    assert 0.3 < only.largest < 0.5  # half of the values, which are between 0 and 1


def test_declared_tolerance_is_used(tmp_path):
    near = {"preprocessing": scaled(1.01)}
    assert not check_model(find_model(str(write_package(tmp_path / "strict", **near)))).passed
    tolerant = check_model(find_model(str(write_package(tmp_path / "tolerant", tolerance=0.1, **near))))
    assert (tolerant.passed, tolerant.tolerance) == (True, 0.1)


def test_model_without_a_published_test_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"bare\.onnx has no published test"):
        check_model(find_model(str(write_onnx(tmp_path / "bare.onnx"))))


def test_error_names_a_model_that_does_not_load(tmp_path):
    package = write_package(tmp_path / "package", "broken")
    with pytest.raises(RunError, match="package does not load") as caught:
        check_model(find_model(str(package)))
    assert caught.value.__notes__


def test_damaged_test_array_is_a_recipe_error(tmp_path):
    package = write_package(tmp_path / "package")
    (package / "out.npy").write_bytes(b"no array")
    with pytest.raises(RecipeError, match=r"out\.npy"):
        check_model(find_model(str(package)))


def test_check_has_a_timeout(tmp_path):
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
def test_largest_difference_includes_nan_and_shape(found, published, largest):
    found, published = (np.array(values, np.float32) for values in (found, published))
    assert compare_arrays("y", found, published).largest == largest


def test_masks_and_integers_are_compared_without_wrapping():
    zero, one = np.zeros(1, np.uint8), np.ones(1, np.uint8)
    assert compare_arrays("y", zero, one) == TensorDifference("y", 1.0)
    assert compare_arrays("y", zero.astype(bool), one.astype(bool)).largest == 1
