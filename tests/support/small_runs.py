"""Small runs on real files, with the serial engine, for the tests of `imgpool.batch`."""

from dataclasses import replace

import imagecodecs
import numpy as np

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.recipe import Recipe
from imgpool.output import run_file
from imgpool.output.layout import journal_path
from imgpool.output.session import OutputSession

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


def leave_as_if_killed(photos, output):
    """Run until there is one output that the journal does not know, and no end in the run file."""
    results = runner_for(photos).results()
    next(results)
    info = run_file.read(str(output))
    results.close()
    journal_path(str(output)).unlink()
    run_file.write(str(output), replace(info, process_started=1.0))


def statuses(results):
    return [result.status for result in results]


def outputs(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if ".imgpool" not in path.parts)
