"""Heavy steps and what loading them took, as text and as JSON."""

import pytest

from imgpool.batch.preflight import Preflight
from imgpool.core.recipe import Recipe
from imgpool.report.step_loads import load_lines, loads_json, preflight_lines
from imgpool.work.loading import StepLoad
from tests.support.heavy_filter import installed
from tests.support.small_runs import runner_for, write_png


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on two workers with a heavy second step."""
    (tmp_path / "weights.bin").write_bytes(b"")
    write_png(tmp_path / "in" / "a.png")
    with installed(monkeypatch):
        recipe = Recipe.from_specs(["invert", f"heavy:weights={tmp_path / 'weights.bin'}"])
        run = runner_for(tmp_path / "in", recipe=recipe, workers=2, max_memory=250_000_000, engine="pool")
        yield run


def test_without_a_preflight_there_are_no_lines(run):
    assert list(preflight_lines(run, 1)) == []
    assert list(load_lines(run)) == []
    assert loads_json(run) == {"model_loads": 0, "models": []}


def test_fewer_workers_are_always_reported(run):
    run.preflight = Preflight((StepLoad(1, 9, 0.25, 50_000_000),), memory=100_000_000, peak=100_000_000)
    fewer = "  1 worker instead of 2: each needs 100.0 MB for the recipe, and all together may use 250.0 MB"
    assert list(preflight_lines(run, 0)) == [fewer]
    assert list(preflight_lines(run, 1)) == ["  heavy: loads in 250 ms and takes 50.0 MB", fewer]
    run.preflight = Preflight(run.preflight.loads, memory=10_000_000, peak=10_000_000)
    assert list(preflight_lines(run, 0)) == []


def test_loads_are_reported_with_their_medians(run):
    run.loads = (StepLoad(1, 9, 0.2, 50_000_000),)
    assert list(load_lines(run)) == ["heavy: loaded once, 200 ms and 50.0 MB"]
    run.loads += (StepLoad(1, 8, 1.2, 50_000_000), StepLoad(1, 7, 1.4, 52_000_000))
    assert list(load_lines(run)) == ["heavy: loaded 3 times, 1.2 s and 50.0 MB each (medians)"]
    assert loads_json(run) == {
        "model_loads": 3,
        "models": [
            {
                "filter": "heavy",
                "weights": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "loads": 3,
                "seconds": 1.2,
                "memory": 50_000_000,
            }
        ],
    }
