from imgpool.engines.shared.workload import TaskTimes, Workload


def test_slow_first_task_is_soon_forgotten():
    times = TaskTimes()
    times.observe(Workload(1, 4_000), 0.3)
    for _ in range(5):
        times.observe(Workload(10, 40_000), 0.01)
    assert times.estimate(Workload(1, 4_000)) < 0.01


def test_single_slow_task_hardly_changes_the_estimate():
    times = TaskTimes()
    for seconds in [0.01] * 20 + [30.0]:
        times.observe(Workload(1, 4_000), seconds)
    assert times.estimate(Workload(1, 4_000)) < 0.02


def test_many_slow_tasks_change_the_estimate():
    times = TaskTimes()
    for seconds in [0.001] * 50 + [0.1] * 30:
        times.observe(Workload(1, 4_000), seconds)
    assert times.estimate(Workload(1, 4_000)) > 0.05
