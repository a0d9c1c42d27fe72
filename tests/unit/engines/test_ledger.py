import pickle

import pytest

from imgpool.core.engine import EngineOptions
from imgpool.core.errors import WorkerError
from imgpool.core.task import Result, Task
from imgpool.engines._answers import Answers, Death, SetupFailure
from imgpool.engines._ledger import BARREN_ROUNDS, Ledger

TASKS = [Task(f"in-{number}", f"out-{number}", 10, 0) for number in range(3)]


def ledger(**options):
    return Ledger(TASKS, EngineOptions(**options))


def answers(*indices):
    return Answers(0, [(index, pickle.dumps(Result(TASKS[index], "done"))) for index in indices])


def test_an_answer_settles_a_task():
    book = ledger()
    assert list(book.enter(answers(2, 0))) == [Result(TASKS[2], "done"), Result(TASKS[0], "done")]
    assert book.fresh() == [(1, TASKS[1])]
    assert book.suspects() == []


def test_a_death_makes_a_suspect_and_the_next_answer_tells_the_attempt():
    book = ledger(retries=2)
    assert list(book.enter(Death("SIGKILL", 1))) == []
    assert book.fresh() == [(0, TASKS[0]), (2, TASKS[2])]
    assert book.suspects() == [(1, TASKS[1])]
    assert list(book.enter(answers(1))) == [Result(TASKS[1], "done", attempt=2)]


def test_more_deaths_than_retries_are_a_failure():
    book = ledger(retries=2)
    for _ in range(2):
        assert list(book.enter(Death("SIGKILL", 1))) == []
    [result] = book.enter(Death("SIGSEGV", 1))
    assert (result.task, result.status, result.attempt) == (TASKS[1], "failed", 3)
    assert (result.failure.stage, result.failure.error) == ("worker", "SIGSEGV")
    assert 1 not in book.pending


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        ("SIGKILL", "killed", "fewer workers"),
        ("SIGSEGV", "a library crashed on this image (SIGSEGV)", "damaged"),
        ("TimeoutError", "not done after 90 s", "--timeout"),
        ("exit code 3", "exit code 3", ""),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(error, message, hint):
    [result] = ledger(retries=0, timeout=90).enter(Death(error, 0))
    assert message in result.failure.message
    assert hint in result.failure.hint


def test_nobody_is_charged_with_the_death_of_an_idle_worker():
    book = ledger(retries=0)
    assert list(book.enter(Death("SIGKILL", None))) == []
    assert len(book.fresh()) == 3


def test_an_answer_that_came_before_the_death_counts():
    book = ledger(retries=0)
    list(book.enter(answers(1)))
    assert list(book.enter(Death("SIGKILL", 1))) == []


def test_a_worker_that_cannot_be_set_up_ends_the_run():
    with pytest.raises(WorkerError, match="no such model"):
        list(ledger().enter(SetupFailure("no such model", "", "")))


def test_pools_that_die_one_after_the_other_end_the_run():
    book = ledger()
    for _ in range(BARREN_ROUNDS - 1):
        list(book.enter(Death("SIGBUS", None)))
        book.end_round()
    list(book.enter(Death("SIGBUS", None)))
    with pytest.raises(WorkerError, match="SIGBUS"):
        book.end_round()


@pytest.mark.parametrize("progress", [answers(0), Death("SIGKILL", 0)], ids=["answer", "charge"])
def test_progress_in_between_keeps_the_run_going(progress):
    book = ledger()
    for number in range(2 * BARREN_ROUNDS - 1):
        list(book.enter(progress if number == BARREN_ROUNDS - 1 else Death("SIGBUS", None)))
        book.end_round()
