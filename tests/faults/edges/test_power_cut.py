"""A power cut: every write since the last sync may be lost. The next run makes the right outputs, or names a file.

A run of recipe B over the outputs of recipe A is killed. Each sync of the output's file system copies the output
folder: what it holds then survives. Of all that was written later, parts are lost in one of several ways; files that
are synced by themselves, the list of planned targets and the run file, survive.
"""

import os
import random
import shutil
from functools import partial

import pytest

from imgpool.output.session import CommitOptions
from tests.support.interrupted_runs import MOMENTS, WRITABLE_FORMATS, contents, kill_run, recipe, write_photos
from tests.support.scales import scaled
from tests.support.small_runs import run, statuses

COUNT = 4
DURABLE = ("run.json", "planned")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def copy_as_synced(output, synced, _descriptor):
    """Copy the output folder as it is at a sync; the copy before stays until this one is complete."""
    new = synced.with_name("new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(output, new)
    shutil.rmtree(synced, ignore_errors=True)
    os.rename(new, synced)


def cut_power(chance, output, synced):
    """Rebuild an output folder as it may look after the cut."""
    for path in [path for path in output.rglob("*") if path.is_file()]:
        relative = path.relative_to(output)
        if any(name in relative.parts for name in DURABLE):
            continue
        old = synced / relative
        before = old.read_bytes() if old.is_file() else None
        if before != (now := path.read_bytes()):
            path.write_bytes(b"")
            after = chance.choice(LOSSES)(chance, before, now)
            if after is None:
                path.unlink()
            else:
                path.write_bytes(after)


def keep(_chance, _before, now):
    return now


def lose(_chance, before, _now):
    """Restore what there was before; None if there was nothing."""
    return before


def empty(_chance, before, now):
    """Lose the contents; of a file that was appended to, only what was appended."""
    return before if before and now.startswith(before) else b""


def zeros(_chance, before, now):
    """Lose the data, but not the size; of a file that was appended to, only what was appended."""
    kept = before if before and now.startswith(before) else b""
    return kept + b"\0" * (len(now) - len(kept))


def cut_off(chance, before, now):
    """Lose the end of what was appended; other files are lost."""
    if before is not None and now.startswith(before):
        return now[: chance.randint(len(before), len(now))]
    return empty(chance, before, now)


LOSSES = (keep, lose, empty, zeros, cut_off)


def rounds(count):
    return [(seed, WRITABLE_FORMATS[seed % len(WRITABLE_FORMATS)]) for seed in range(count)]


@scaled(("seed", "output_format"), short=rounds(len(WRITABLE_FORMATS)), long=rounds(200))
def test_power_cut_leaves_no_wrong_output(tmp_path, seed, output_format):
    chance = random.Random(seed)
    photos = write_photos(tmp_path / "photos", COUNT)
    output, synced = tmp_path / "out", tmp_path / "synced"
    a, b = recipe("a", output_format), recipe("b", output_format)
    expected = None
    if seed % 3:  # otherwise B is the first run into the folder
        run(photos, output=str(output), recipe=a)
        expected = contents(output)
    else:
        run(photos, output=str(tmp_path / "other"), recipe=a)
        expected = contents(tmp_path / "other")
        output.mkdir()
    copy_as_synced(output, synced, None)
    moment, count = chance.choice(MOMENTS), chance.randint(1, COUNT)
    commits = CommitOptions(interval=0.0, sync=partial(copy_as_synced, output, synced))
    kill_run(photos, output, b, moment=moment, count=count, commits=commits, results=chance.randint(1, COUNT))
    cut_power(chance, output, synced)
    results = run(photos, output=str(output), recipe=a)
    named = {os.path.basename(result.task.target) for result in results if result.status == "failed"}
    assert {name for name, data in contents(output).items() if data != expected[name]} == named
    assert set(contents(output)) == set(expected)
    for result in results:
        if result.failure:
            assert result.task.target in result.failure.message
    again = run(photos, output=str(output), recipe=a, if_exists="replace")
    assert "failed" not in statuses(again)
    assert contents(output) == expected
