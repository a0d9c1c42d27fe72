import os
from functools import partial

import pytest

from imgpool.engines.serial import SERIAL
from tests.support import engine_tasks as tasks


def test_tasks_run_here_in_order_and_on_demand(tmp_path):
    todo = tasks.tasks(*["pass"] * 5)
    run = SERIAL.run(todo, tasks.only_mark, partial(tasks.leave_mark, tmp_path), tasks.options())
    assert list(tmp_path.iterdir()) == []
    results = [next(run), next(run)]
    assert len(list(tmp_path.iterdir())) == 3  # the initializer and two tasks
    results += run
    assert [result.task for result in results] == todo
    assert {result.pid for result in results} == {os.getpid()}


def test_initializer_runs_once_and_not_without_tasks(tmp_path):
    initializer = partial(tasks.leave_mark, tmp_path)
    assert list(SERIAL.run([], tasks.do, initializer, tasks.options())) == []
    assert list(tmp_path.iterdir()) == []
    list(SERIAL.run(tasks.tasks("pass", "pass"), tasks.do, initializer, tasks.options()))
    assert len(list(tmp_path.iterdir())) == 1


def test_ctrl_c_ends_the_run():
    run = SERIAL.run(tasks.tasks("pass", "interrupt", "pass"), tasks.do, tasks.no_state, tasks.options())
    next(run)
    with pytest.raises(KeyboardInterrupt):
        next(run)


def test_metrics_are_reported_at_the_end():
    reported = []
    options = tasks.options(on_metrics=reported.append, should_stop=lambda: False)
    list(SERIAL.run(tasks.tasks(*["spin 0.01"] * 5, "sleep 0.1"), tasks.do, tasks.no_state, options))
    [metrics] = reported
    assert (metrics.workers, metrics.tasks, metrics.longest_chunk) == (1, 6, 1)
    assert 0.04 < metrics.cpu_seconds < metrics.task_seconds
    assert metrics.blocked_seconds > 0.05
    assert metrics.reason == "1 worker: one task after another, in this process"
