"""Models as text and as JSON."""

import json

import pytest

from imgpool.core.model import Operation
from imgpool.models.check import ModelCheck, TensorDifference, find_model
from imgpool.models.processing import OPERATORS
from imgpool.report.models import (
    OPERATION_TEXTS,
    built_in_models_json,
    built_in_models_text,
    check_json,
    check_lines,
    describe_operation,
    model_json,
    model_text,
)
from tests.support.onnx_files import write_package


@pytest.fixture
def model(tmp_path):
    """A model with processing, halo and channel names."""
    return find_model(
        str(
            write_package(
                tmp_path / "nuclei.zip",
                "classes",
                halo=4,
                step=8,
                minimum=16,
                channel_names=["nucleus", "edge"],
                preprocessing=[{"id": "scale_range", "kwargs": {"min_percentile": 1, "max_percentile": 99.8}}],
                postprocessing=[{"id": "sigmoid"}],
            )
        )
    )


def test_each_built_in_model_has_a_line():
    assert [each["name"] for each in built_in_models_json()] == ["denoise"]
    text = built_in_models_text()
    assert text.startswith("denoise")
    assert "model:path=NAME|PATH" in text


def test_model_text_describes_inputs_and_outputs(model):
    text = " ".join(model_text(model).split())
    for part in (
        "small model 1.2 A model for tests.",
        f"path {model.path}",
        "licence BSD-3-Clause",
        "authors imgpool tests",
        f"sha256 {model.sha256}",
        "package format bioimage.io 0.5.4",
        "runtime onnxruntime",
        "Input x: float32, axes BCYX",
        "Y rows 16 + n × 8",
        "map percentiles 1 to 99.8 to 0 to 1",
        "test data in.npy",
        "Output y: float32, axes BCYX",
        "C channels 2, nucleus, edge",
        "Y rows same as rows of x, 4 cropped at each end (halo)",
        "sigmoid",
        "test data out.npy",
    ):
        assert part in text


def test_model_json_is_complete(model):
    found = json.loads(json.dumps(model_json(model)))
    assert (found["name"], found["version"], found["sha256"]) == ("small model", "1.2", model.sha256)
    assert found["outputs"][0]["axes"][1]["names"] == ["nucleus", "edge"]
    assert found["inputs"][0]["operations"][1]["name"] == "scale_range"
    assert found["computed_by"].startswith("onnxruntime")


def test_check_lists_each_output():
    check = ModelCheck(
        (TensorDifference("a", 1e-6), TensorDifference("b", float("inf"), "NaN in other places")), 0.5, 1.25, 1e-4
    )
    assert [line.plain for line in check_lines(check)] == [
        "✓ a: largest difference 1e-06, tolerance 0.0001",
        "✗ b: largest difference inf (NaN in other places), tolerance 0.0001",
        "  loaded in 0.50 s, computed in 1.25 s",
    ]
    found = json.loads(json.dumps(check_json(check), allow_nan=False))
    assert found["passed"] is False
    assert [each["largest"] for each in found["differences"]] == [1e-6, None]


OPERATIONS = {
    "binarize": ({"threshold": 0.5}, "true above 0.5"),
    "clip": ({"min": 0.0, "max_percentile": 99.0, "axes": "YX"}, "clip at 0 and percentile 99, over YX together"),
    "ensure_dtype": ({"dtype": "float32"}, "convert to float32"),
    "fixed_zero_mean_unit_variance": (
        {"mean": (1.0, 2.0), "std": (3.0, 4.0), "axis": "C"},
        "subtract 1 | 2, divide by 3 | 4, along C",
    ),
    "scale_linear": ({"gain": 2.0, "offset": -1.0}, "multiply by 2, add -1"),
    "scale_mean_variance": (
        {"reference_tensor": "raw", "eps": 1e-6},
        "normalise to the mean and standard deviation of raw, with 1e-06",
    ),
    "scale_range": (
        {"min_percentile": 1.0, "max_percentile": 99.0, "eps": 1e-6, "reference_tensor": "raw"},
        "map percentiles 1 to 99 of raw to 0 to 1, with 1e-06",
    ),
    "sigmoid": ({}, "sigmoid"),
    "softmax": ({"axis": "C"}, "softmax: values that add up to 1, along C"),
    "zero_mean_unit_variance": (
        {"eps": 1e-3, "axes": "YX"},
        "normalise to mean 0 and standard deviation 1, over YX together, with 0.001 added to the divisor",
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_described(name):
    parameters, words = OPERATIONS[name]
    assert describe_operation(Operation(name, parameters)).startswith(words)


def test_no_operation_lacks_a_description():
    assert set(OPERATION_TEXTS) == set(OPERATORS) == set(OPERATIONS)
