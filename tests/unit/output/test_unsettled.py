"""Planned targets and settled ones: what a run makes durable, takes over, and leaves behind."""

import os

import numpy as np
import pytest

from imgpool.core.errors import RunError
from imgpool.core.task import Result, Task
from imgpool.output.evidence import find_evidence
from imgpool.output.journal import journal_end
from imgpool.output.planned import interrupted_targets, read_planned, remove_planned, target_hashes, write_planned
from imgpool.output.records import OTHER_SOURCE, UNPROVED, UNSETTLED, read_history, reason_to_run
from imgpool.output.run_file import InterruptedRun
from imgpool.output.state_folder import open_state_folder
from imgpool.output.unsettled import PlannedRun, UnsettledTargets, identify, read_all_intents
from imgpool.work.intents import Intent, encode_intent
from tests.support.past_runs import done, failed, write_journal
from tests.support.run_files import run_of

A, B, C = TOKENS = tuple(letter * 16 for letter in "abc")
DEAD = "d" * 16


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "out")


@pytest.fixture
def state(output):
    with open_state_folder(output, create=True) as folder:
        yield folder


def tasks(output, *names):
    return [Task(f"/photos/{name}", os.path.join(output, name), 10, 20) for name in names]


def begin(output, state, token, to_do, already=(), last=None):
    """Begin a run, as the lock does; return what it keeps, and its run file."""
    targets = UnsettledTargets(output, PlannedRun("key", tasks(output, *to_do), tasks(output, *already)))
    info = targets.begin(state, run_of(token=token), last)
    targets.confirm(state, info)
    return targets, info


def planned(state, token):
    hashes = read_planned(state, token)
    return None if hashes is None else sorted(hashes.tolist())


def hashes(*names):
    return sorted(target_hashes(names).tolist())


def write_intents(output, *intents):
    folder = os.path.join(output, ".imgpool", "intents")
    os.makedirs(folder, exist_ok=True)
    for token in {intent.run for intent in intents}:
        with open(os.path.join(folder, f"{token}-1.jsonl"), "wb") as file:
            file.writelines(encode_intent(intent) for intent in intents if intent.run == token)


def intents(state):
    return [(intent.target, intent.run) for intent in read_all_intents(state)]


def test_planned_targets_are_read_back(state):
    names = ["b.png", "a/\udcff.png", "µ.png"]
    write_planned(state, A, target_hashes(names))
    assert planned(state, A) == hashes(*names)
    write_planned(state, A, target_hashes([]))
    assert planned(state, A) == []
    assert planned(state, B) is None
    assert planned(state, "../run.json") is None


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"\0" * len(data), lambda _data: b""])
def test_a_damaged_list_may_have_held_any_target(output, state, damage):
    write_planned(state, A, target_hashes(["a.png"]))
    path = os.path.join(output, ".imgpool", "planned", A)
    with open(path, "rb") as file:
        data = damage(file.read())
    with open(path, "wb") as file:
        file.write(data)
    assert planned(state, A) is None
    last = run_of(unsettled=(InterruptedRun(A, "key", 0),))
    assert interrupted_targets(["a.png", "b.png"], output, last) == {"a.png", "b.png"}


def test_only_lists_of_runs_are_removed(output, state):
    for token in TOKENS:
        write_planned(state, token, target_hashes(["a.png"]))
    other = os.path.join(output, ".imgpool", "planned", "my notes.txt")
    with open(other, "wb"):
        pass
    remove_planned(state, [B])
    assert sorted(os.listdir(os.path.dirname(other))) == [B, "my notes.txt"]


def test_a_run_is_listed_as_unsettled_from_its_start(output, state):
    _, info = begin(output, state, A, ["a.png", "b.png"])
    assert info.unsettled == (InterruptedRun(A, "key", 0),)
    assert planned(state, A) == hashes("a.png", "b.png")


def test_a_run_takes_over_its_own_targets_only(output, state):
    _, first = begin(output, state, A, ["a.png", "b.png", "c.png", "d.png"])
    _, second = begin(output, state, B, ["a.png"], already=["b.png"], last=first)
    assert [run.token for run in second.unsettled] == [A, B]
    assert planned(state, A) == hashes("c.png", "d.png")
    _, third = begin(output, state, C, ["c.png", "d.png"], last=second)
    assert [run.token for run in third.unsettled] == [B, C]
    assert planned(state, A) is None


def test_what_a_run_took_over_and_did_not_settle_stays(output, state):
    _, first = begin(output, state, A, ["a.png", "b.png", "c.png"])
    second, info = begin(output, state, B, ["a.png", "b.png", "new.png"], already=["c.png"], last=first)
    second.settle(Result(tasks(output, "a.png")[0], "done", sha256="00"))
    second.settle(Result(tasks(output, "b.png")[0], "failed"))
    assert [run.token for run in second.end(state, info)] == [B]
    assert planned(state, B) == hashes("b.png")


def test_a_checked_output_settles_its_target(output, state):
    _, first = begin(output, state, A, ["a.png", "b.png"])
    second, info = begin(output, state, B, ["a.png", "b.png"], last=first)
    second.settle(Result(tasks(output, "a.png")[0], "skipped", sha256="00"))
    second.settle(Result(tasks(output, "b.png")[0], "skipped"))  # another file is there
    second.end(state, info)
    assert planned(state, B) == hashes("b.png")


def test_only_intents_without_a_result_are_kept(output, state):
    write_intents(output, *(Intent(name, f"/photos/{name}", "00", 1, DEAD) for name in ("a.png", "z.png")))
    targets, info = begin(output, state, A, ["a.png", "b.png"])
    write_intents(output, *(Intent(name, f"/photos/{name}", "11", 1, A) for name in ("a.png", "b.png", "b.png")))
    targets.settle(Result(tasks(output, "a.png")[0], "done", sha256="11"))
    assert [run.token for run in targets.end(state, info)] == [A]
    assert planned(state, A) == hashes("b.png")
    assert sorted(intents(state)) == [("b.png", A), ("z.png", DEAD)]
    assert os.listdir(os.path.join(output, ".imgpool", "intents")) == [f"{A}.jsonl"]


def test_a_run_that_was_planned_before_another_is_refused(output, state):
    last = run_of(token=A)
    targets = UnsettledTargets(output, PlannedRun(based_on=identify(None)))
    with pytest.raises(RunError, match="another run wrote into"):
        targets.begin(state, run_of(token=B), last)
    UnsettledTargets(output, PlannedRun(based_on=identify(last))).begin(state, run_of(token=B), last)


def test_an_unknown_run_may_have_written_all_in_the_journal(output, state):
    """So it may if it is of an older version, or its list was lost; when all of them are settled, it is forgotten."""
    write_journal(output, done(output, "a.png"), done(output, "b.png"))
    old = run_of(unsettled=(InterruptedRun("", "key", None),))
    targets, info = begin(output, state, A, ["a.png", "new.png"], last=old)
    unknown = info.unsettled[0]
    assert (unknown.checksum, planned(state, unknown.token)) == (0, hashes("b.png"))
    targets.settle(Result(tasks(output, "a.png")[0], "done", sha256="00"))
    assert targets.end(state, info) == info.unsettled
    assert planned(state, A) == hashes("new.png")
    _, last = begin(output, state, B, ["b.png", "new.png"], last=info)
    assert [run.token for run in last.unsettled] == [B]


def doubts(output, last, *names):
    return list(read_history(tasks(output, *names), output, last).unsettled)


def test_a_record_of_the_interrupted_or_a_later_run_settles(output, state):
    write_journal(output, done(output, "a.png"), done(output, "b.png"))
    checksum = journal_end(output)[1]
    write_planned(state, A, target_hashes(["a.png", "b.png"]))
    last = run_of(unsettled=(InterruptedRun(A, "key", checksum),), checksum=checksum)
    assert doubts(output, last, "a.png", "b.png", "c.png") == [UNSETTLED, UNSETTLED, ""]
    write_journal(output, done(output, "b.png"))
    assert doubts(output, last, "a.png", "b.png") == [UNSETTLED, ""]
    assert read_history(tasks(output, "a.png", "c.png"), output, last).interrupted == [True, False]


def test_a_skipped_task_settles_only_what_it_has_checked(output):
    write_journal(output, done(output, "a.png", sha256="11" * 32), done(output, "b.png", sha256="22" * 32))
    checksum = journal_end(output)[1]
    last = run_of(unsettled=(InterruptedRun("lost", "key", checksum),))
    skipped = [Result(task, "skipped", sha256="11" * 32) for task in tasks(output, "a.png", "b.png")]
    write_journal(output, *skipped)
    assert doubts(output, last, "a.png", "b.png") == ["", UNSETTLED]
    records = read_history(tasks(output, "a.png"), output, last).records
    assert (records[0].status, records[0].written) == ("done", 3)


def test_damage_puts_the_records_before_it_in_doubt(output):
    write_journal(output, *(done(output, f"{number}.png") for number in range(4)))
    path = os.path.join(output, ".imgpool", "journal.jsonl")
    with open(path, "rb") as file:
        lines = file.readlines()
    with open(path, "wb") as file:
        file.writelines([lines[0], lines[2], lines[3]])
    names = [f"{number}.png" for number in range(4)]
    history = read_history(tasks(output, *names), output, run_of())
    assert list(history.unsettled) == [UNPROVED, UNPROVED, UNPROVED, ""]
    assert history.records[1] is None
    assert history.damage.line == 2


def test_every_hash_of_a_target_is_evidence_but_no_failure(output):
    write_journal(
        output,
        done(output, "a.png", sha256="11"),
        done(output, "a.png", sha256="22"),
        failed(output, "a.png"),
        failed(output, "b.png"),
    )
    write_intents(output, Intent("a.png", "/other/a.png", "33", 1, DEAD))
    found = find_evidence([task.target for task in tasks(output, "a.png", "b.png")], output)
    (known,) = found.values()
    assert known.sources == {"11": "/photos/a.png", "22": "/photos/a.png", "33": "/other/a.png"}
    assert known.recorded == "22"
    assert find_evidence([], output) == {}


def test_the_result_of_another_source_is_a_reason_to_run(output):
    write_journal(output, done(output, "a.png"))
    (task,) = tasks(output, "a.png")
    (record,) = read_history([task], output).records
    other = Task("/other/a.png", task.target, task.size, task.mtime_ns)
    assert reason_to_run(other, record, record.fingerprint) == OTHER_SOURCE


def test_hashes_of_targets_are_those_of_their_names():
    assert target_hashes(["a.png"]).dtype == np.uint64
    assert len(set(hashes("a.png", "A.png", "b/a.png"))) == 3
