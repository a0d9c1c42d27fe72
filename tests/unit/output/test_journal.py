"""The journal: what is done, durably, and why the rest has to run."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.core.task import Failure, Result, Task
from imgpool.output import journal as journal_module
from imgpool.output.journal import Journal, latest_records, reason_to_run
from imgpool.output.layout import journal_path
from imgpool.system.durability import sync_file_system
from imgpool.work.files import source_hash
from tests.support.disks import file_size_limit
from tests.support.past_runs import read_journal

FINGERPRINT = "f" * 64


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return str(folder)


def done(output, name="a.png", **changes):
    task = Task(f"/photos/{name}", os.path.join(output, name), 10, 20)
    return replace(Result(task, "done", shape=(5, 4), dtype="uint8", axes="YX", written=3, source_hash="s"), **changes)


def failed(output, name="a.png"):
    failure = Failure("read", "ReadError", "cut off", "copy it again", "Traceback …")
    return Result(done(output, name).task, "failed", failure)


def write(output, *results, fingerprint=FINGERPRINT):
    with Journal(output, fingerprint) as journal:
        for result in results:
            journal.append(result)


def lines(output):
    return journal_path(output).read_bytes().splitlines()


def test_without_a_journal_nothing_is_done(output):
    assert read_journal(output) == {}
    assert read_journal(os.path.join(output, "absent")) == {}


def test_what_models_and_files_a_recipe_has_stands_in_every_line(output):
    provenance = [{"model": {"path": {"model": "unet", "sha256": "h"}}}]
    with Journal(output, FINGERPRINT, provenance=provenance) as journal:
        journal.append(done(output))
        journal.append(failed(output, "b\udcff.png"))
    assert [json.loads(line)["provenance"] for line in lines(output)] == [provenance] * 2
    assert read_journal(output)["a.png"].fingerprint == FINGERPRINT


def test_a_result_is_one_json_line_that_says_everything(output):
    write(output, done(output, "trip/a.png", sha256="h", seconds={"read": 0.5}, lost=("exif",), pid=7, attempt=2))
    (line,) = lines(output)
    entry = json.loads(line)
    assert entry["target"] == "trip/a.png"
    assert (entry["source"], entry["size"], entry["mtime_ns"]) == ("/photos/trip/a.png", 10, 20)
    assert (entry["status"], entry["failure"], entry["fingerprint"]) == ("done", None, FINGERPRINT)
    assert "provenance" not in entry
    assert (entry["shape"], entry["dtype"], entry["written"]) == ([5, 4], "uint8", 3)
    assert (entry["sha256"], entry["seconds"], entry["lost"]) == ("h", {"read": 0.5}, ["exif"])
    assert (entry["pid"], entry["attempt"]) == (7, 2)


@pytest.mark.parametrize("name", ["a.png", "\udcff.png"])
def test_a_failure_is_written_with_its_reason(output, name):
    write(output, failed(output, name))
    entry = json.loads(lines(output)[0])
    assert entry["status"] == "failed"
    assert (entry["failure"]["stage"], entry["failure"]["message"]) == ("read", "cut off")
    assert read_journal(output)[name].status == "failed"


def test_numbers_of_any_size_and_kind_come_back(output):
    task = replace(done(output).task, size=2**70, mtime_ns=-(2**70))
    write(output, replace(done(output), task=task, seconds={"read": np.float64(0.5)}))
    assert json.loads(lines(output)[0])["seconds"] == {"read": 0.5}
    record = read_journal(output)["a.png"]
    assert (record.size, record.mtime_ns) == (2**70, -(2**70))


def test_the_latest_record_wins_and_the_file_only_grows(output):
    write(output, done(output), done(output, "b.png"))
    before = journal_path(output).read_bytes()
    write(output, failed(output), done(output, "b.png", written=99))
    records = read_journal(output)
    assert (records["a.png"].status, records["b.png"].written) == ("failed", 99)
    assert journal_path(output).read_bytes().startswith(before)


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe.png", "new\nline.png", "-dash.png", "🔬 µ.png", 'quo"te\\.png', "x" * 240 + ".png"]
)
def test_odd_names_come_back_as_they_were(output, name):
    write(output, done(output, name))
    assert len(lines(output)) == 1
    (target,) = read_journal(output)
    assert target == name
    assert read_journal(output)[name].source == f"/photos/{name}"


def test_of_the_journal_only_the_records_of_the_tasks_are_held_and_no_text_twice(output):
    write(output, failed(output), done(output), done(output, "\udcff.png"), done(output, "b.png"))
    tasks = [done(output, name).task for name in ("a.png", "\udcff.png", "new.png")]
    records = latest_records(tasks, output)
    assert records[2] is None
    for task, record in zip(tasks[:2], records, strict=False):
        assert (record.status, record.written, record.size, record.mtime_ns) == ("done", 3, 10, 20)
        assert record.source is task.source


def test_a_line_as_any_other_tool_writes_it_is_read(output):
    write(output, done(output, "µ.png"))
    (line,) = lines(output)
    entry = json.loads(line)
    journal_path(output).write_text(
        "".join(json.dumps(entry, indent=indent).replace("\n", "") + "\n" for indent in (None, 1))
    )
    (record,) = read_journal(output).values()
    assert (record.target, record.source, record.written) == ("µ.png", "/photos/µ.png", 3)


def test_nothing_on_disk_claims_done_before_the_commit_and_the_outputs_are_synced_first(output, monkeypatch):
    on_disk_at_sync = []

    def sync(descriptor):
        on_disk_at_sync.append((os.fstat(descriptor).st_dev, len(lines(output))))
        sync_file_system(descriptor)

    monkeypatch.setattr(journal_module, "sync_file_system", sync)
    with Journal(output, FINGERPRINT) as journal:
        journal.append(done(output))
        journal.append(done(output, "b.png"))
        assert lines(output) == []
        journal.commit()
        assert len(lines(output)) == 2
        journal.append(done(output, "c.png"))
        assert len(lines(output)) == 2
        journal.commit()
        journal.commit()
    device = os.stat(output).st_dev
    assert on_disk_at_sync == [(device, 0), (device, 2)]


def test_a_commit_ends_with_a_sync_of_the_journal(output, monkeypatch):
    synced = []
    monkeypatch.setattr(journal_module, "sync_file_system", lambda _descriptor: synced.append("outputs"))

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), journal_path(output).read_bytes() != b""))

    monkeypatch.setattr(os, "fsync", fsync)
    write(output, done(output))
    assert synced == ["outputs", (str(journal_path(output)), True)]


def test_what_is_appended_after_the_sync_waits_for_the_next_commit(output, monkeypatch):
    """Its output may not be durable yet."""
    with Journal(output, FINGERPRINT) as journal:

        def sync(_descriptor):
            if not lines(output):
                journal.append(done(output, "late.png"))

        monkeypatch.setattr(journal_module, "sync_file_system", sync)
        journal.append(done(output))
        journal.commit()
        assert list(read_journal(output)) == ["a.png"]
        journal.commit()
        assert list(read_journal(output)) == ["a.png", "late.png"]


def test_threads_append_and_commit_at_once_and_no_line_is_lost_or_torn(output):
    with Journal(output, FINGERPRINT) as journal, ThreadPoolExecutor(8) as threads:
        for number in range(300):
            threads.submit(journal.append, done(output, f"{number}.png"))
            threads.submit(journal.commit)
    assert len(lines(output)) == 300
    assert set(read_journal(output)) == {f"{number}.png" for number in range(300)}


def test_what_is_committed_is_not_held(output):
    with Journal(output, FINGERPRINT) as journal:
        journal.append(done(output))
        journal.commit()
        journal.commit()
    assert len(lines(output)) == 1


def test_a_check_that_fails_keeps_everything_unwritten(output):
    def check():
        raise RunError("another run took over")

    with pytest.raises(RunError, match="took over"), Journal(output, FINGERPRINT, check) as journal:
        journal.append(done(output))
    assert lines(output) == []


def test_an_error_in_the_run_still_commits_what_is_done(output):
    def interrupted_run():
        with Journal(output, FINGERPRINT) as journal:
            journal.append(done(output))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert list(read_journal(output)) == ["a.png"]


def test_a_failing_sync_claims_nothing(output, monkeypatch):
    def sync(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal_module, "sync_file_system", sync)
    with pytest.raises(OSError, match="Input/output"):
        write(output, done(output))
    assert lines(output) == []


@pytest.mark.parametrize("room", [0, 1, 100, 700])
def test_a_write_that_fails_leaves_no_half_line_and_the_same_lines_can_be_written_later(output, room):
    write(output, done(output))
    before = journal_path(output).read_bytes()
    with Journal(output, FINGERPRINT) as journal:
        journal.append(done(output, "b.png"))
        journal.append(done(output, "c.png"))
        with file_size_limit(len(before) + room), pytest.raises(OSError, match="too large"):
            journal.commit()
        assert journal_path(output).read_bytes() == before
    assert list(read_journal(output)) == ["a.png", "b.png", "c.png"]


def test_every_cut_of_the_last_line_loses_that_line_alone(output):
    write(output, done(output), done(output, "b.png"))
    first, second = journal_path(output).read_bytes().splitlines(keepends=True)
    for cut in range(len(second) - 1):
        journal_path(output).write_bytes(first + second[:cut])
        assert list(read_journal(output)) == ["a.png"]
    journal_path(output).write_bytes(first + second[:-1])  # all but the line's end
    assert list(read_journal(output)) == ["a.png", "b.png"]


def test_appending_after_a_torn_line_loses_nothing_that_follows(output):
    write(output, done(output), done(output, "b.png"))
    path = journal_path(output)
    path.write_bytes(path.read_bytes()[:-20])
    write(output, done(output, "c.png"), done(output, "d.png"))
    assert list(read_journal(output)) == ["a.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not json",
        b"\0" * 4096,
        b"\xff\xfe",
        b"5",
        b"[]",
        b'"v"',
        b"null",
        b"{}",
        b'{"v": 1}',
        b'{"v": "one", "target": "a.png"}',
        b'{"v": null}',
        b'{"v": 1, "target": "a.png", "status": "done"}',
        b'{"v": 1, "target": null}',
        b'{"v": Infinity}',
        b'{"v": NaN}',
        b"[1]",
        b"1",
    ],
)
def test_a_garbage_line_costs_nobody_else_their_record(output, garbage):
    write(output, done(output))
    with journal_path(output).open("ab") as file:
        file.write(garbage + b"\n")
    write(output, done(output, "b.png"))
    assert list(read_journal(output)) == ["a.png", "b.png"]


def test_a_newer_journal_is_refused(output):
    write(output, done(output))
    with journal_path(output).open("ab") as file:
        file.write(b'{"v": 2, "of": "things to come"}\n')
    with pytest.raises(UsageError, match="newer imgpool") as caught:
        read_journal(output)
    assert "upgrade" in caught.value.hint


def test_journals_of_shards_can_be_concatenated(output, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write(output, done(output))
    write(str(other), done(str(other), "b.png"))
    with journal_path(output).open("ab") as file:
        file.write(journal_path(str(other)).read_bytes())
    assert list(read_journal(output)) == ["a.png", "b.png"]


def test_a_journal_moves_with_its_folder(output, tmp_path):
    write(output, done(output, "trip/a.png"))
    os.rename(output, tmp_path / "moved")
    assert list(read_journal(str(tmp_path / "moved"))) == ["trip/a.png"]


@pytest.fixture
def finished(tmp_path, output):
    """A task that is done: source and target exist, the journal knows them."""
    source, target = tmp_path / "a.png", os.path.join(output, "a.png")
    source.write_bytes(b"picture")
    with open(target, "wb") as file:
        file.write(b"result")
    status = source.stat()
    task = Task(str(source), target, status.st_size, status.st_mtime_ns)
    write(output, Result(task, "done", written=6, source_hash=source_hash(source)))
    return task


def reason(task, output, fingerprint=FINGERPRINT):
    return reason_to_run(task, latest_records([task], output)[0], fingerprint)


def rescanned(task):
    status = os.stat(task.source)
    return replace(task, size=status.st_size, mtime_ns=status.st_mtime_ns)


def test_what_is_done_and_unchanged_does_not_run(finished, output):
    assert reason(finished, output) == ""


def test_what_the_journal_does_not_know_is_new(finished, output):
    assert reason(replace(finished, target=f"{finished.target}2"), output) == "new"


def test_what_failed_runs_again(finished, output):
    write(output, failed(output))
    assert reason(finished, output) == "failed before"


def test_another_recipe_runs_again(finished, output):
    assert "recipe" in reason(finished, output, "g" * 64)


def test_another_source_of_the_same_target_runs_again(finished, output, tmp_path):
    assert "another source file" in reason(replace(finished, source=str(tmp_path / "b.png")), output)


def test_a_source_of_another_size_runs_again(finished, output):
    with open(finished.source, "ab") as file:
        file.write(b"!")
    assert reason(rescanned(finished), output) == "the source file changed in size"


def test_a_source_that_was_only_touched_does_not_run_again(finished, output):
    os.utime(finished.source, ns=(1, 1))
    assert reason(rescanned(finished), output) == ""


def test_other_bytes_of_the_same_size_at_another_time_run_again(finished, output):
    with open(finished.source, "wb") as file:
        file.write(b"PICTURE")
    os.utime(finished.source, ns=(1, 1))
    assert reason(rescanned(finished), output) == "the source file changed"


def test_a_moved_time_without_a_source_to_compare_runs_again(finished, output):
    os.unlink(finished.source)
    assert "cannot be read" in reason(replace(finished, mtime_ns=1), output)


def test_a_missing_output_is_made_again(finished, output):
    os.unlink(finished.target)
    assert reason(finished, output) == "the output is missing"


def test_an_output_of_another_size_is_made_again(finished, output):
    with open(finished.target, "ab") as file:
        file.write(b"!")
    assert reason(finished, output) == "the output was modified"
