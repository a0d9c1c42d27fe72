"""Runs that end at a chosen moment as if by SIGKILL or a power cut, and what the next run makes of it."""

import os
import signal
from contextlib import suppress
from functools import partial

import imagecodecs
import numpy as np

from imgpool.core.catalogue import FORMATS
from imgpool.core.recipe import Output, Recipe
from imgpool.output.session import CommitOptions, OutputSession
from tests.support.small_runs import runner_for

WRITABLE_FORMATS = [format_.name for format_ in FORMATS]
"""Formats that a run can write to."""

STEPS = {"a": ["gaussian:sigma=1"], "b": ["invert"]}
"""The steps of two recipes whose results have the same size in BMP, NPY and TIFF."""

MOMENTS = [f"{when} {what}" for what in ("rename_new", "exchange", "intent", "lines") for when in ("before", "after")]
"""When a run can be killed: before and after a rename, an intent, and the write of the journal's lines."""

RARE_COMMITS, CONSTANT_COMMITS = CommitOptions(interval=60.0), CommitOptions(interval=0.0)
"""How a run commits that has recorded nothing, or nearly everything, when it is killed."""


def recipe(name, output_format):
    return Recipe.from_specs(STEPS[name]).with_output(Output.parse(output_format))


def write_photos(folder, count, seed=1):
    """Write small colour pictures with few colours, which every format can hold."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = generator.integers(0, 2, (8, 8, 1), np.uint8) * np.array([200, 90, 40], np.uint8)
        (folder / f"{number}.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    return folder


def contents(output):
    """Return the bytes of every file in an output folder, but not in its state folder."""
    files = (path for path in output.rglob("*") if path.is_file() and ".imgpool" not in path.parts)
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


def kill_run(photos, output, recipe_, *, moment, count, commits=CONSTANT_COMMITS, results=None):
    """Run in a process of its own, which is killed at its `count`-th arrival at a moment, or after some results.

    Parameters
    ----------
    moment
        One of `MOMENTS`.
    commits
        When and how results become durable.
    results
        Kill the run after so many results, if it was not killed before.
    """
    if not (child := os.fork()):
        with suppress(BaseException):
            _kill_self_at(moment, count)
            made = runner_for(
                photos, output=str(output), recipe=recipe_, open_session=partial(OutputSession, commits=commits)
            ).results()
            for number, _ in enumerate(made):
                if number == results:
                    os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _kill_self_at(moment, count):
    """Let this process kill itself the `count`-th time that it comes to a moment."""
    from imgpool.output import journal
    from imgpool.work import intents, placing

    when, name = moment.split()
    owner, attribute = {
        "rename_new": (placing, "rename_new"),
        "exchange": (placing, "exchange"),
        "intent": (intents.IntentLog, "add"),
        "lines": (journal.Journal, "_write"),
    }[name]
    real, left = getattr(owner, attribute), [count]

    def counted(*arguments, **keywords):
        left[0] -= 1
        if when == "before" and not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        returned = real(*arguments, **keywords)
        if when == "after" and not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return returned

    setattr(owner, attribute, counted)
