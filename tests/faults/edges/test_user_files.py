"""A file of a user at a target survives every run, at whatever moment it appears.

One run has an image for each kind of file that users put at a target, and some images that nobody disturbs.
"""

import functools
import itertools
import os
import random
import stat
import tempfile
import threading
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from imgpool.batch.run import Runner
from imgpool.core.catalogue import FILTERS
from imgpool.core.recipe import Recipe
from tests.support.intruder.intruder_plugins import KINDS, MINE, flipped, save
from tests.support.scales import scaled
from tests.support.small_runs import leave_as_if_killed, plan_for

INTRUDER = Path(__file__).parents[2] / "support" / "intruder"
UNDISTURBED = 4
POLICIES = ("fail", "skip", "replace")
STATUSES = {"fail": "failed", "skip": "skipped", "replace": "done"}


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    """Install the plug-in for this process and for workers."""
    FILTERS.__dict__.pop("_installed", None)
    with monkeypatch.context() as patched:
        patched.syspath_prepend(INTRUDER)
        yield
    FILTERS.__dict__.pop("_installed", None)


@pytest.fixture(scope="module")
def right_results():
    """Return a function that gives the right contents of all results."""

    @functools.cache
    def compute(rounds, *more_steps):
        with tempfile.TemporaryDirectory() as folder:
            place = Place(Path(folder), "serial", rounds)
            assert set(place.run(*more_steps).values()) == {"done"}
            return {name: (place.output / name).read_bytes() for name in place.names}

    return compute


class Place:
    """Photos, an output folder, and what a user puts there."""

    def __init__(self, folder, engine, rounds):
        self.photos, self.output, self.orders = (folder / name for name in ("photos", "out", "orders"))
        self.orders.mkdir()
        self._engine = engine
        self.names = [f"trip{number % 3}/{number}.png" for number in range(rounds * len(KINDS) + UNDISTURBED)]
        for number, name in enumerate(self.names):
            path = self.photos / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(imagecodecs.png_encode(np.full((8, 8), number, np.uint16)))
        self.kinds = dict(zip(self.names[UNDISTURBED:], itertools.cycle(KINDS)))

    def plan(self, *more_steps, **options):
        """The plan of a run; further steps make another recipe."""
        return plan_for(self.photos, **self._settings(more_steps), **options)

    def run(self, *more_steps, **options):
        """The status of each image."""
        return self.finish(self.plan(*more_steps, **options))

    def finish(self, plan):
        results = list(Runner(plan).results())
        return {os.path.relpath(result.task.source, self.photos): result.status for result in results}

    def kill_a_run(self):
        """Leave the results of half of the images, without a line in the journal."""
        leave_as_if_killed(self.photos, count=len(self.names) // 2, **self._settings((), "serial"))

    def disturb(self):
        """Let a user put something at every other target."""
        for name, kind in self.kinds.items():
            path = self.output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            KINDS[kind](path)

    def disturb_while_processing(self):
        """Let a user do the same while each image is processed."""
        for number, name in enumerate(self.names):
            if name in self.kinds:
                (self.orders / str(number)).write_text(f"{self.kinds[name]}\n{self.output / name}")

    def replaced(self, name):
        """Where a file was moved before a result took its place."""
        runs = (self.output / ".imgpool" / "replaced").iterdir()
        return next(run / name for run in runs if os.path.lexists(run / name))

    def _settings(self, more_steps, engine=None):
        recipe = Recipe.from_specs([f"intrude:orders={self.orders}", *more_steps])
        settings = {"recipe": recipe, "engine": engine or self._engine, "output": str(self.output)}
        return settings if settings["engine"] == "serial" else {**settings, "workers": 2}


def assert_is_the_users(path, kind, earlier):
    """Check that what is at a path is what a user put there, if necessary over the earlier result."""
    mode = path.lstat().st_mode
    if kind in {"link", "broken link"}:
        assert os.readlink(path) == ("nowhere" if kind == "broken link" else "notes")
    elif kind == "folder":
        assert (path / "notes.txt").read_bytes() == MINE
    elif kind == "pipe":
        assert stat.S_ISFIFO(mode)
    else:
        contents = {"file": {MINE}, "empty file": {b""}}.get(kind, {flipped(MINE), flipped(earlier)})
        assert stat.S_ISREG(mode)
        assert path.read_bytes() in contents


def before_the_first_run(place, **options):
    place.disturb()
    return place.run(**options)


def between_plan_and_first_result(place, **options):
    plan = place.plan(**options)
    place.disturb()
    return place.finish(plan)


def while_processing(place, **options):
    place.disturb_while_processing()
    return place.run(**options)


def after_a_killed_run(place, **options):
    place.kill_a_run()
    place.disturb()
    return place.run(**options)


def after_a_killed_run_while_processing(place, **options):
    place.kill_a_run()
    place.disturb_while_processing()
    return place.run(fresh=True, **options)


def before_another_recipe(place, **options):
    place.run()
    place.disturb()
    return place.run("invert", **options)


def between_plan_and_another_recipe(place, **options):
    place.run()
    plan = place.plan("invert", **options)
    place.disturb()
    return place.finish(plan)


def while_processing_another_recipe(place, **options):
    place.run()
    place.disturb_while_processing()
    return place.run("invert", **options)


def before_all_is_made_again(place, **options):
    place.run()
    place.disturb()
    return place.run(fresh=True, **options)


def before_the_same_command(place, **options):
    place.run()
    place.disturb()
    return place.run(**options)


MOMENTS = (
    before_the_first_run,
    between_plan_and_first_result,
    while_processing,
    after_a_killed_run,
    after_a_killed_run_while_processing,
    before_another_recipe,
    between_plan_and_another_recipe,
    while_processing_another_recipe,
    before_all_is_made_again,
    before_the_same_command,
)
IN_THE_POOL = [(while_processing_another_recipe, policy, "pool", 1) for policy in POLICIES]


def may_be_replaced(moment, kind):
    """Whether imgpool may take a file for one that a killed run has left."""
    return "killed" in moment.__name__ and kind == "empty file"


def expected_statuses(moment, kind, policy):
    if may_be_replaced(moment, kind):
        return {"done", STATUSES[policy]}
    if moment is before_the_same_command and kind in {"edited, same size", "edited in place"}:
        return {"skipped"}  # only sizes are compared
    return {STATUSES[policy]}


@scaled(
    ("moment", "policy", "engine", "rounds"),
    short=[*itertools.product(MOMENTS, POLICIES, ["serial"], [1]), *IN_THE_POOL],
    long=itertools.product(MOMENTS, POLICIES, ["serial", "pool"], [100]),
)
def test_files_of_users_survive(tmp_path, right_results, moment, policy, engine, rounds):
    place = Place(tmp_path, engine, rounds)
    first, second = right_results(rounds), right_results(rounds, "invert")
    expected = second if "another" in moment.__name__ else first
    statuses = moment(place, if_exists=policy)
    for name in place.names[:UNDISTURBED]:
        assert statuses[name] in {"done", "skipped"}
        assert (place.output / name).read_bytes() == expected[name]
    for name, kind in place.kinds.items():
        assert statuses[name] in expected_statuses(moment, kind, policy), kind
        if statuses[name] != "done":
            assert_is_the_users(place.output / name, kind, first[name])
        else:
            assert (place.output / name).read_bytes() == expected[name]
            if not may_be_replaced(moment, kind):
                assert_is_the_users(place.replaced(name), kind, first[name])


@scaled(
    ("engine", "policy", "rounds", "count"),
    short=[("serial", "fail", 1, 60)],
    long=[(engine, policy, 100, 60) for engine in ("serial", "pool") for policy in POLICIES],
)
def test_saving_during_a_run_loses_nothing(tmp_path, engine, policy, rounds, count):
    """A user saves results under their names, as editors do, at random moments of a run that makes all of them again.

    What was saved last is at its place afterwards, or where replaced files are kept.
    """
    chance = random.Random(count)
    place = Place(tmp_path, engine, count // len(KINDS))
    place.run()
    for number in range(rounds):
        plan = place.plan(*["invert"] * (number % 2), fresh=True, if_exists=policy)
        saved = {}
        user = threading.Thread(target=save_some, args=[place, chance, saved])
        user.start()
        place.finish(plan)
        user.join()
        for name, content in saved.items():
            kept = list((place.output / ".imgpool" / "replaced").glob(f"*/{Path(name).with_suffix('')}*"))
            assert content in {path.read_bytes() for path in [place.output / name, *kept]}
            (place.output / name).unlink()
        place.run()


def save_some(place, chance, saved):
    for name in chance.sample(place.names, len(place.names) // 3):
        time.sleep(chance.uniform(0, 0.002))
        saved[name] = f"years of work on {name} {chance.random()}".encode()
        save(place.output / name, saved[name])
