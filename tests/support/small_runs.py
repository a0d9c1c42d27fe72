"""Small runs on real files, with the serial engine, for the tests of `imgpool.batch`."""

import os
from functools import partial

import imagecodecs
import numpy as np

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.recipe import Recipe
from imgpool.output.session import CommitOptions, OutputSession

BLUR = Recipe.from_specs(["gaussian:sigma=1"])
GENERATOR = np.random.default_rng(1)


def write_png(path, side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(GENERATOR.integers(0, 256, (side, side), np.uint8)))
    return path


def plan_for(*inputs, recipe=BLUR, engine="serial", **settings):
    """The plan of a run over some inputs."""
    return make_plan(RunSettings(tuple(map(str, inputs)), recipe, engine=engine, **settings))


def runner_for(*inputs, open_session=OutputSession, **settings):
    """The runner of such a plan, not started."""
    return Runner(plan_for(*inputs, **settings), open_session=open_session)


def run(*inputs, **settings):
    """The results of such a run."""
    return list(runner_for(*inputs, **settings).results())


def leave_as_if_killed(*inputs, count=1, **settings):
    """Let a process make some outputs, and end it before any of them is in the journal."""
    never = partial(OutputSession, commits=CommitOptions(interval=60.0))
    if not (child := os.fork()):
        results = runner_for(*inputs, open_session=never, **settings).results()
        for _ in range(count):
            next(results)
        os._exit(0)
    os.waitpid(child, 0)


def statuses(results):
    return [result.status for result in results]


def outputs(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if ".imgpool" not in path.parts)
