"""Recipe A finishes, recipe B into the same output is killed, A runs again: every output is A's, byte by byte."""

import hashlib
import os
import random
import shutil
import signal

import pytest

from imgpool.output.records import UNSETTLED
from imgpool.output.run_file import read
from imgpool.work.intents import IntentLog
from tests.support.interrupted_runs import (
    MOMENTS,
    RARE_COMMITS,
    WRITABLE_FORMATS,
    contents,
    kill_run,
    recipe,
    write_photos,
)
from tests.support.runs import Running, command, seconds_until
from tests.support.scales import scaled
from tests.support.small_runs import plan_for, run, runner_for, statuses

COUNT = 4

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def rounds(count, formats=WRITABLE_FORMATS):
    """Seeds with a format each, so that every format has its turn."""
    return [(seed, formats[seed % len(formats)]) for seed in range(count)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), COUNT)


@pytest.fixture(scope="module")
def finished(photos, tmp_path_factory):
    """Return an output that recipe A has finished, made once for each format, and what is in it."""
    made = {}

    def of(output_format):
        if output_format not in made:
            output = tmp_path_factory.mktemp(output_format) / "out"
            results = run(photos, output=str(output), recipe=recipe("a", output_format))
            assert statuses(results) == ["done"] * COUNT
            made[output_format] = output, contents(output)
        return made[output_format]

    return of


@scaled(("seed", "output_format"), short=rounds(len(WRITABLE_FORMATS)), long=rounds(200))
def test_killed_other_recipe_leaves_no_wrong_output(photos, finished, tmp_path, seed, output_format):
    chance = random.Random(seed)
    start, expected = finished(output_format)
    output = tmp_path / "out"
    shutil.copytree(start, output, copy_function=shutil.copy2)
    for _ in range(chance.randint(1, 2)):
        b = recipe("b", output_format)
        kill_run(photos, output, b, moment=chance.choice(MOMENTS), count=chance.randint(1, COUNT), results=3)
    settings = {"output": str(output), "recipe": recipe("a", output_format)}
    assert "failed" not in statuses(run(photos, **settings))
    assert contents(output) == expected
    after = plan_for(photos, **settings)
    assert not after.tasks  # all is settled: nothing has to be hashed again
    assert sorted(os.listdir(output / ".imgpool")) == ["journal.jsonl", "lock", "run.json"]


@scaled(("seed", "output_format"), short=[(3, "npy")], long=rounds(40))
def test_killed_pool_leaves_no_wrong_output(tmp_path, seed, output_format):
    """The same with the command, two workers, and a kill of the whole process group at any time."""
    chance = random.Random(seed)
    photos = write_photos(tmp_path / "photos", 30)
    output = tmp_path / "out"
    words = [photos, "-o", output, "-j", "2", "--chunksize", "1", "--to", output_format]
    settings = {"output": str(output)}
    run(photos, **settings, recipe=recipe("a", output_format))
    expected = contents(output)
    (tmp_path / "tmp").mkdir()
    running = Running(command("process", *words, "-f", "invert"), tmp_path / "tmp")
    wanted = chance.randint(0, 25)
    before = contents(output)
    running.until(lambda: sum(before[name] != data for name, data in contents(output).items()) >= wanted)
    running.send(signal.SIGKILL, group=True)
    running.wait()
    assert seconds_until(lambda: not running.processes()) is not None
    assert "failed" not in statuses(run(photos, **settings, recipe=recipe("a", output_format)))
    assert contents(output) == expected


def assert_in_doubt(plan):
    """Nothing counts as done. The killed run may have recorded its first results: then their recipe has changed."""
    assert sum(plan.reasons.values()) == COUNT
    assert plan.reasons[UNSETTLED] >= COUNT // 2


def test_outputs_in_doubt_are_listed_and_then_hashed_only_once(photos, finished, tmp_path):
    start, expected = finished("bmp")
    output = tmp_path / "out"
    shutil.copytree(start, output)
    assert kill_run(photos, output, recipe("b", "bmp"), moment="after exchange", count=2, commits=RARE_COMMITS)
    settings = {"output": str(output), "recipe": recipe("a", "bmp")}
    plan = plan_for(photos, **settings)
    assert_in_doubt(plan)
    results = run(photos, **settings)
    assert sorted(statuses(results)) == ["done", "done", "skipped", "skipped"]
    assert all(result.sha256 for result in results)
    assert contents(output) == expected
    assert statuses(run(photos, **settings)) == ["skipped"] * COUNT
    assert not plan_for(photos, **settings).tasks


def test_targets_of_other_inputs_stay_in_doubt(photos, tmp_path):
    """A run over other images settles nothing of what a killed run may have changed."""
    output = tmp_path / "out"
    a, b = recipe("a", "npy"), recipe("b", "npy")
    run(photos, output=str(output), recipe=a)
    expected = contents(output)
    assert kill_run(photos, output, b, moment="after exchange", count=3, commits=RARE_COMMITS)
    more = write_photos(tmp_path / "more" / "plate", 2, seed=2)
    for _ in range(3):
        assert statuses(run(more.parent, output=str(output), recipe=a, fresh=True)) == ["done"] * 2
    assert_in_doubt(plan_for(photos, output=str(output), recipe=a))
    run(photos, output=str(output), recipe=a)
    assert {name: data for name, data in contents(output).items() if "plate" not in name} == expected
    assert read(str(output)).unsettled == ()


def test_many_killed_runs_leave_one_list_of_targets(photos, tmp_path):
    """Nothing grows for ever: a run takes over what earlier ones have left."""
    output = tmp_path / "out"
    for number in range(6):
        kill_run(photos, output, recipe("ab"[number % 2], "bmp"), moment="after intent", count=number % COUNT + 1)
    assert len(os.listdir(output / ".imgpool" / "planned")) == 1
    assert len(read(str(output)).unsettled) == 1
    assert "failed" not in statuses(run(photos, output=str(output), recipe=recipe("a", "bmp")))
    assert sorted(os.listdir(output / ".imgpool")) == ["journal.jsonl", "lock", "run.json"]


def test_a_clock_that_steps_back_makes_nothing_foreign(photos, tmp_path):
    output = tmp_path / "out"
    assert kill_run(photos, output, recipe("a", "png"), moment="after rename_new", count=3)
    for folder, _, names in os.walk(output):
        for name in names:
            os.utime(os.path.join(folder, name), (1, 1))
    assert "failed" not in statuses(run(photos, output=str(output), recipe=recipe("a", "png")))


@pytest.mark.parametrize("lost", ["planned", "intents", "run.json", "content of run.json"])
def test_lost_state_is_never_taken_for_settled(photos, finished, tmp_path, lost):
    """Without the list of planned targets, any may have been planned; without the run file, any run may have run."""
    start, expected = finished("npy")
    output = tmp_path / "out"
    shutil.copytree(start, output)
    assert kill_run(photos, output, recipe("b", "npy"), moment="after exchange", count=2, commits=RARE_COMMITS)
    path = output / ".imgpool" / lost.split()[-1]
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if lost.startswith("content"):
        path.write_bytes(b"\0" * 100)
    results = run(photos, output=str(output), recipe=recipe("a", "npy"))
    failed = {os.path.basename(result.task.target) for result in results if result.status == "failed"}
    assert bool(failed) == (lost == "intents")  # what the journal does not have is not proved without them
    assert {name for name, data in contents(output).items() if data != expected[name]} == failed


def test_an_image_that_was_away_meanwhile_is_still_in_doubt(photos, finished, tmp_path):
    """Without the list of planned targets, a finished run over the same folder settles only what it has seen."""
    start, expected = finished("npy")
    output, photos = tmp_path / "out", shutil.copytree(photos, tmp_path / "photos")
    shutil.copytree(start, output)
    a = recipe("a", "npy")
    run(photos, output=str(output), recipe=a)  # the images have moved: their results now belong to them
    assert kill_run(photos, output, recipe("b", "npy"), moment="after exchange", count=3, commits=RARE_COMMITS)
    shutil.rmtree(output / ".imgpool" / "planned")
    changed = next(name for name, data in contents(output).items() if data != expected[name])
    image = (photos / changed).with_suffix(".png")
    image.rename(tmp_path / image.name)
    run(photos, output=str(output), recipe=a)
    (tmp_path / image.name).rename(image)
    assert "failed" not in statuses(run(photos, output=str(output), recipe=a))
    assert contents(output) == expected


def test_what_a_killed_runs_worker_writes_last_is_not_foreign(photos, finished, tmp_path):
    """Only the main process was killed: its workers live on until after the next run is planned."""
    start, expected = finished("npy")
    output = tmp_path / "out"
    shutil.copytree(start, output)
    a, b = recipe("a", "npy"), recipe("b", "npy")
    run(photos, output=str(tmp_path / "other"), recipe=b)
    assert kill_run(photos, output, b, moment="before exchange", count=1, commits=RARE_COMMITS)
    runner = runner_for(photos, output=str(output), recipe=a)
    log = IntentLog(str(output), ".imgpool", read(str(output)).token)
    (output / "1.npy").unlink()
    for name in ("0.npy", "1.npy"):
        data = (tmp_path / "other" / name).read_bytes()
        log.add(name, str((photos / name).with_suffix(".png")), hashlib.sha256(data).hexdigest(), len(data))
        (output / name).write_bytes(data)
    results = list(runner.results())
    assert "failed" not in statuses(results)
    assert contents(output) == expected
