"""The benchmark of models compares variants that do the same work."""

from benchmarks import models
from tests.support.onnx_files import write_package


def test_variants_load_the_model_as_named_with_equal_results(tmp_path):
    images = models.write_images(tmp_path / "in", 3, side=24)
    variants = models.variants(str(write_package(tmp_path / "model", "box3", halo=1)))
    runs = {name: models.run(variants[name], images, tmp_path / name, 1) for name in ("initializer", "every image")}
    assert {name: len(run.loads) for name, run in runs.items()} == {"initializer": 1, "every image": 3}
    for path in images:
        per_worker, per_image = ((tmp_path / name / "out" / path.name).read_bytes() for name in runs)
        assert per_worker == per_image
