"""Models in words and as JSON."""

import json

import pytest

from imgpool.core.model import Operation
from imgpool.models import processing as _model_processing
from imgpool.models.check import Check, Difference, find_model
from imgpool.report.models import (
    WORDS,
    built_in_models_json,
    built_in_models_text,
    check_json,
    check_lines,
    in_words,
    model_json,
    model_text,
)
from tests.support.onnx_files import write_package


@pytest.fixture
def model(tmp_path):
    """With processing, halo and names."""
    return find_model(
        str(
            write_package(
                tmp_path / "nuclei.zip",
                "classes",
                halo=4,
                step=8,
                least=16,
                channel_names=["nucleus", "edge"],
                preprocessing=[{"id": "scale_range", "kwargs": {"min_percentile": 1, "max_percentile": 99.8}}],
                postprocessing=[{"id": "sigmoid"}],
            )
        )
    )


def test_the_box_has_a_line_for_each_model():
    assert [each["name"] for each in built_in_models_json()] == ["denoise"]
    text = built_in_models_text()
    assert text.startswith("denoise")
    assert "model:path=NAME|PATH" in text


def test_a_model_is_explained(model):
    text = " ".join(model_text(model).split())
    for part in (
        "small model 1.2 A model for tests.",
        f"path {model.path}",
        "licence BSD-3-Clause",
        "authors imgpool tests",
        f"sha256 {model.sha256}",
        "described by bioimage.io 0.5.4",
        "computed by onnxruntime",
        "Expects x: float32, axes BCYX",
        "Y rows 16 + n × 8",
        "percentiles 1 to 99.8 become 0 to 1",
        "test in.npy",
        "Gives y: float32, axes BCYX",
        "C channels 2, nucleus, edge",
        "Y rows as rows of x, 4 at each end are cut off (halo)",
        "sigmoid",
        "test out.npy",
    ):
        assert part in text


def test_json_has_all_of_it(model):
    found = json.loads(json.dumps(model_json(model)))
    assert (found["name"], found["version"], found["sha256"]) == ("small model", "1.2", model.sha256)
    assert found["outputs"][0]["axes"][1]["names"] == ["nucleus", "edge"]
    assert found["inputs"][0]["operations"][1]["name"] == "scale_range"
    assert found["computed_by"].startswith("onnxruntime")


def test_a_check_is_told_output_by_output():
    check = Check((Difference("a", 1e-6), Difference("b", float("inf"), "NaN in other places")), 0.5, 1.25, 1e-4)
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
    "clip": ({"min": 0.0, "max_percentile": 99.0, "axes": "YX"}, "clipped at 0 and percentile 99, over YX together"),
    "ensure_dtype": ({"dtype": "float32"}, "as float32"),
    "fixed_zero_mean_unit_variance": (
        {"mean": (1.0, 2.0), "std": (3.0, 4.0), "axis": "C"},
        "less 1 | 2, divided by 3 | 4, along C",
    ),
    "scale_linear": ({"gain": 2.0, "offset": -1.0}, "times 2, plus -1"),
    "scale_mean_variance": ({"reference_tensor": "raw", "eps": 1e-6}, "mean and standard deviation of raw, with 1e-06"),
    "scale_range": (
        {"min_percentile": 1.0, "max_percentile": 99.0, "eps": 1e-6, "reference_tensor": "raw"},
        "percentiles 1 to 99 of raw become 0 to 1, with 1e-06",
    ),
    "sigmoid": ({}, "sigmoid"),
    "softmax": ({"axis": "C"}, "softmax: shares that add up to 1, along C"),
    "zero_mean_unit_variance": (
        {"eps": 1e-3, "axes": "YX"},
        "mean 0 and standard deviation 1, over YX together, with 0.001 added to the divisor",
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_told_in_words(name):
    parameters, words = OPERATIONS[name]
    assert in_words(Operation(name, parameters)).startswith(words)


def test_words_are_there_for_every_operation_that_there_is():
    assert set(WORDS) == set(_model_processing.OPERATIONS) == set(OPERATIONS)
