"""Helper processes that are killed from outside, again and again: the run goes on as long as it makes progress."""

import contextlib
import random
import time

import psutil
import pytest

from imgpool.core.errors import WorkerError
from imgpool.engines.pool import POOL
from imgpool.engines.pool.parent import restart_policy
from tests.support import engine_tasks as tasks
from tests.support.runs import Running, command, records
from tests.support.scales import scaled


@scaled(("kills", "interval_s", "count"), short=[(6, 0.2, 12)], long=[(24, 0.35, 150)])
def test_run_whose_helpers_are_killed_loses_no_image(tmp_path, kills, interval_s, count):
    folder, chance = tmp_path / "in", random.Random(24)
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.poison").write_text(f"nap 0.05 {number}")
    words = ["process", folder, "-o", tmp_path / "out", "-f", "invert", "-j", "2", "--retries", "100"]
    with contextlib.closing(Running(command(*words), tmp_path)) as running:
        for _ in range(kills):
            time.sleep(interval_s)
            if helpers := running.helpers():
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(helpers).kill()
        outcome = running.wait()
    assert outcome.code == 0, outcome.stderr
    done = {record["target"] for record in records(tmp_path / "out") if record["status"] == "done"}
    assert done == {path.name for path in folder.iterdir()}


def test_workers_that_are_always_killed_end_the_run_in_time(monkeypatch):
    monkeypatch.setattr(restart_policy, "PROGRESS_TIMEOUT_S", 1.0)
    with pytest.raises(WorkerError, match=r"no task was done in the last \d+ minutes: the workers died \d+ times"):
        list(POOL.run(tasks.tasks("pass"), tasks.do, tasks.be_killed, tasks.options(start_method="fork")))


def test_stop_ends_a_pause(monkeypatch):
    monkeypatch.setattr(restart_policy, "FIRST_PAUSE_S", 1000.0)
    monkeypatch.setattr(restart_policy, "MAX_PAUSE_S", 1000.0)
    started = time.monotonic()
    options = tasks.options(start_method="fork", should_stop=lambda: time.monotonic() > started + 1)
    assert list(POOL.run(tasks.tasks("pass"), tasks.do, tasks.be_killed, options)) == []


def test_stopped_host_does_not_count_as_dead(monkeypatch):
    rounds = []
    monkeypatch.setattr(restart_policy.RestartPolicy, "record_round", lambda _, **words: rounds.append(words))
    started = time.monotonic()
    options = tasks.options(start_method="fork", should_stop=lambda: time.monotonic() > started + 0.5)
    list(POOL.run(tasks.tasks("sleep 0.7"), tasks.do, tasks.no_state, options))
    assert rounds == []
