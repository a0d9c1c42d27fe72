"""Small runs on real files, with the serial engine, for the tests of `imgpool.batch`."""

import os

import imagecodecs
import numpy as np

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.recipe import Recipe

BLUR = Recipe.from_specs(["gaussian:sigma=1"])
GENERATOR = np.random.default_rng(1)


def write_png(path, side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(GENERATOR.integers(0, 256, (side, side), np.uint8)))
    return path


def plan(*inputs, recipe=BLUR, engine="serial", **settings):
    """The plan of a run over some inputs."""
    return make_plan(RunSettings(tuple(map(str, inputs)), recipe, engine=engine, **settings))


def prepare(*inputs, **settings):
    """The runner of a plan, not started."""
    return Runner(plan(*inputs, **settings))


def run(*inputs, **settings):
    return list(prepare(*inputs, **settings).results())


def statuses(results):
    return [result.status for result in results]


def outputs(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if ".imgpool" not in path.parts)


def close_folder(monkeypatch, name):
    """Make folders of this name impossible to list, as a mode of 0 does for everybody but root."""
    real = os.scandir

    def scandir(path):
        if isinstance(path, str) and os.path.basename(path) == name:
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
