"""Every model runtime of the catalogue keeps the contract of runtimes."""

from pathlib import Path

from imgpool.core.catalogue import RUNTIMES
from imgpool.core.model import built_in_models
from imgpool.testing import RuntimeContract

MODELS = Path(__file__).parents[1] / "data" / "models"


class TestOnnx(RuntimeContract):
    runtimes = (RUNTIMES["onnx"],)
    packages = (*built_in_models().values(), MODELS / "box3.onnx", MODELS / "classes.zip")


def test_every_runtime_is_tested():
    assert [runtime.name for runtime in RUNTIMES.built_in()] == ["onnx"], "add a class for it to this file"
