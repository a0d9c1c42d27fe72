import pickle

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result, Task
from imgpool.engines.pool.host.chunk_length import Load
from imgpool.engines.pool.parent.task_tracker import BARREN_ROUNDS, CAUTIOUS_ROUNDS, TaskTracker
from imgpool.engines.pool.protocol.messages import Batch, PoolCrashed, WorkerDied

TASKS = [Task(f"in-{number}", f"out-{number}", 10, 0) for number in range(300)]


def numbered(*indices):
    return tuple((index, TASKS[index]) for index in indices)


def ledger(count=3, window=100, **options):
    """A ledger over the first tasks, its first round begun."""
    book = TaskTracker(iter(TASKS[:count]), EngineOptions(**options), window)
    book.begin_round()
    return book


def answer(book, *indices):
    return list(book.enter_results(pickle.dumps([(index, Result(TASKS[index], "done")) for index in indices])))


def die(book, error, index=None, peak=0):
    return list(book.enter_death(WorkerDied(error, index, peak)))


def next_round(book):
    book.end_round()
    return book.begin_round()


def test_a_pool_gets_no_more_than_a_window_of_tasks():
    book = TaskTracker(iter(TASKS), EngineOptions(), 100)
    first = book.begin_round()
    assert first == Batch(numbered(*range(100)))
    answer(book, *range(49))
    assert book.refill() is None
    answer(book, 49)
    assert book.refill() == Batch(numbered(*range(100, 150)))
    assert book.refill() is None


def test_the_last_batch_says_so_even_if_it_is_empty():
    book = TaskTracker(TASKS[:100], EngineOptions(), 100)
    assert not book.begin_round().last
    answer(book, *range(50))
    assert book.refill() == Batch((), last=True)
    answer(book, *range(50, 99))
    assert book.refill() is None
    answer(book, 99)
    assert next_round(book) is None


def test_a_pool_is_told_what_will_follow_where_it_is_known():
    book = TaskTracker(TASKS, EngineOptions(), 100)
    assert book.begin_round().beyond == Load(200, 2000)
    answer(book, *range(50))
    assert book.left == Load(250, 2500)
    assert book.refill().beyond == Load(150, 1500)
    assert next_round(book).beyond == Load(150, 1500)
    assert book.left == Load(250, 2500)
    book.window = 10
    assert next_round(book).beyond == Load(240, 2400)
    assert book.left == Load(250, 2500)


def test_what_is_left_holds_suspects_too():
    book = TaskTracker(TASKS[:3], EngineOptions(), 100)
    book.begin_round()
    die(book, "SIGSEGV", 1)
    assert book.left == Load(3, 30)
    next_round(book)
    answer(book, 0, 1, 2)
    assert book.left == Load()


def test_of_tasks_that_come_from_somewhere_nobody_knows_how_many_are_left():
    book = ledger(count=200)
    assert book.left is None


def test_tasks_are_taken_no_earlier_than_they_are_needed():
    taken = []

    def tasks():
        for task in TASKS:
            taken.append(task)
            yield task

    book = TaskTracker(tasks(), EngineOptions(), 10)
    book.begin_round()
    assert len(taken) == 10


def test_an_answer_settles_a_task():
    book = ledger()
    assert answer(book, 2, 0) == [Result(TASKS[2], "done"), Result(TASKS[0], "done")]
    assert next_round(book) == Batch(numbered(1), last=True)


def test_those_under_way_in_a_broken_pool_go_first_in_the_next():
    book = ledger(count=300, window=4)
    answer(book, 0, 1)
    assert book.refill() == Batch(numbered(4, 5))
    assert next_round(book) == Batch(numbered(2, 3, 4, 5))


def test_a_death_makes_a_suspect_and_the_next_answer_tells_the_attempt():
    book = ledger(retries=2)
    assert die(book, "SIGSEGV", 1) == []
    assert next_round(book) == Batch(numbered(0, 2), suspects=numbered(1), last=True)
    assert answer(book, 1) == [Result(TASKS[1], "done", attempt=2)]


def test_what_may_be_for_want_of_memory_runs_alone():
    book = ledger(retries=2)
    die(book, "SIGKILL", 1)
    assert next_round(book) == Batch(numbered(0, 2), loners=numbered(1), last=True)


def test_suspects_wait_until_all_others_are_given():
    book = ledger(count=300, window=4, retries=2)
    die(book, "SIGSEGV", 1)
    assert next_round(book) == Batch(numbered(0, 2, 3, 4))
    for _ in range(5):
        book.end_round()
        assert book.begin_round().suspects == ()


def test_a_suspect_under_way_in_a_broken_pool_stays_one():
    book = ledger(retries=2)
    die(book, "SIGSEGV", 1)
    next_round(book)
    die(book, "SIGKILL", 2)
    assert next_round(book) == Batch(numbered(0), suspects=numbered(1), loners=numbered(2), last=True)
    assert [result.attempt for result in answer(book, 0, 1, 2)] == [1, 2, 2]


def test_more_deaths_than_retries_are_a_failure():
    book = ledger(retries=2)
    for _ in range(2):
        assert die(book, "SIGKILL", 1) == []
        next_round(book)
    [result] = die(book, "SIGSEGV", 1)
    assert (result.task, result.status, result.attempt) == (TASKS[1], "failed", 3)
    assert (result.failure.stage, result.failure.error) == ("worker", "SIGSEGV")
    assert next_round(book) == Batch(numbered(0, 2), last=True)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        ("SIGKILL", "its worker was killed (SIGKILL), probably out of memory (peak RSS 3.2 GB)", "fewer workers"),
        ("SIGSEGV", "a library crashed on this image (SIGSEGV)", "damaged"),
        ("TimeoutError", "not done after 95 s", "--timeout"),
        ("exit code 3", "exit code 3", ""),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(error, message, hint):
    [result] = die(ledger(retries=0, timeout=90, timeout_per_byte=0.5), error, 0, peak=3_200_000_000)
    assert message in result.failure.message
    assert hint in result.failure.hint


def test_a_peak_that_is_not_known_is_not_told():
    [result] = die(ledger(retries=0), "SIGKILL", 0)
    assert result.failure.message.endswith("probably out of memory")


def test_of_several_in_hand_when_the_host_died_each_runs_alone_uncharged():
    book = ledger(retries=0)
    assert list(book.enter_collapse(PoolCrashed("SIGKILL", (0, 2)))) == []
    assert next_round(book) == Batch(numbered(1), loners=numbered(0, 2), last=True)
    assert [result.attempt for result in answer(book, 1, 0, 2)] == [1, 1, 1]


def test_one_that_ran_alone_when_the_host_died_is_charged():
    book = ledger(retries=1)
    for _ in range(2):
        assert list(book.enter_collapse(PoolCrashed("SIGKILL", (1,)))) == []
        assert next_round(book) == Batch(numbered(0, 2), loners=numbered(1), last=True)
    [result] = book.enter_collapse(PoolCrashed("SIGKILL", (1,)))
    assert (result.task, result.status, result.attempt) == (TASKS[1], "failed", 2)


def test_nobody_is_charged_when_nothing_was_in_hand():
    book = ledger(retries=0)
    assert list(book.enter_collapse(PoolCrashed("SIGKILL", ()))) == []
    assert next_round(book) == Batch(numbered(0, 1, 2), last=True)


def test_nobody_is_charged_with_the_death_of_an_idle_worker():
    book = ledger(retries=0)
    assert die(book, "SIGKILL") == []
    assert next_round(book) == Batch(numbered(0, 1, 2), last=True)


def test_an_answer_that_came_before_the_death_counts():
    book = ledger(retries=0)
    answer(book, 1)
    assert die(book, "SIGKILL", 1) == []


def test_pools_that_die_one_after_the_other_end_the_run():
    book = ledger()
    for _ in range(BARREN_ROUNDS - 1):
        die(book, "SIGBUS")
        next_round(book)
    die(book, "SIGBUS")
    with pytest.raises(WorkerError, match="SIGBUS"):
        book.end_round()


def test_after_a_few_such_pools_the_next_gets_one_task_and_goes_on_from_there():
    book = ledger(count=300, window=100)
    for _ in range(CAUTIOUS_ROUNDS):
        die(book, "SIGBUS")
        batch = next_round(book)
    assert batch == Batch(numbered(0), last=True)
    answer(book, 0)
    assert book.refill() is None
    assert next_round(book) == Batch(numbered(*range(1, 101)))


@pytest.mark.parametrize("charged", [True, False])
def test_progress_in_between_keeps_the_run_going(charged):
    book = ledger()
    batch = None
    for number in range(2 * BARREN_ROUNDS - 1):
        if number != BARREN_ROUNDS - 1:
            die(book, "SIGBUS")
        elif charged:
            die(book, "SIGKILL", batch.tasks[0][0])
        else:
            answer(book, batch.tasks[0][0])
        batch = next_round(book)
