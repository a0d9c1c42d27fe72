"""The engine keeps the contract, and its tasks share a process."""

import os

from imgpool_threads import THREADS

from imgpool.plugins import EngineOptions, Result, Task
from imgpool.testing import EngineContract


class TestThreads(EngineContract):
    engines = (THREADS,)
    start_methods = ("spawn",)


def test_every_task_runs_in_this_process():
    tasks = [Task(f"{number}.png", f"out/{number}.png", 100, 0) for number in range(10)]
    options = EngineOptions(workers=2)
    results = THREADS.run(tasks, lambda _state, task, _memory: Result(task, "done"), lambda: None, options)
    assert {result.pid for result in results} == {os.getpid()}
