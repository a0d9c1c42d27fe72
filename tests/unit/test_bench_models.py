"""The benchmark of models: what it compares is the same work."""

from benchmarks import models
from tests.support.onnx_files import write_package


def test_a_model_is_loaded_once_per_worker_or_with_every_image_and_the_results_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SIDE", 24)
    images = models.write_images(tmp_path / "in", 3)
    ways = models.ways(str(write_package(tmp_path / "model", "box3", halo=1)))
    runs = {name: models.run(ways[name], images, tmp_path / name, 1) for name in ("initializer", "every image")}
    assert {name: len(run.loads) for name, run in runs.items()} == {"initializer": 1, "every image": 3}
    for path in images:
        once, often = ((tmp_path / name / "out" / path.name).read_bytes() for name in runs)
        assert once == often
