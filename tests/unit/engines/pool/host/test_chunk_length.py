from imgpool.engines.pool.host.chunk_length import DispatchCost, chunk_length, chunk_seconds


def test_task_that_exceeds_the_budget_goes_alone():
    assert chunk_length([100, 1], budget=10) == 1
    assert chunk_length([1, 100], budget=10) == 1
    assert chunk_length([5, 5, 1], budget=10) == 2
    assert chunk_length([], budget=10) == 0


def test_idle_time_for_lack_of_work_is_no_dispatch_cost():
    dispatch = DispatchCost()
    for idle_seconds in [0.0002, 0.0002, 4.0, 0.0002, 0.0002]:
        dispatch = dispatch.observe(idle_seconds, 0.0003)
    assert dispatch.seconds < 0.0006


def test_chunks_are_long_enough_for_the_host_of_many_workers():
    dispatch = DispatchCost(worker=0.0001, host=0.0003)
    few, many = (chunk_seconds(dispatch, float("inf"), workers) for workers in (2, 128))
    assert many >= 128 * dispatch.host > few
