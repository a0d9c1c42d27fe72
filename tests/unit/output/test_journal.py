"""The journal: durable records, and the reasons to process an image again."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from imgpool.core.errors import RunError, UsageError
from imgpool.core.task import Failure, Result, Task
from imgpool.output.journal import Journal
from imgpool.output.layout import journal_path
from imgpool.output.records import read_history, reason_to_run
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


def write(output, *results, **options):
    with Journal(output, FINGERPRINT, **options) as journal:
        for result in results:
            journal.append(result)


def lines(output):
    return journal_path(output).read_bytes().splitlines()


def test_a_missing_journal_has_no_records(output):
    assert read_journal(output) == {}
    assert read_journal(os.path.join(output, "absent")) == {}


def test_each_line_holds_the_provenance(output):
    provenance = [{"model": {"path": {"model": "unet", "sha256": "h"}}}]
    with Journal(output, FINGERPRINT, provenance=provenance) as journal:
        journal.append(done(output))
        journal.append(failed(output, "b\udcff.png"))
    assert [json.loads(line)["provenance"] for line in lines(output)] == [provenance] * 2
    assert read_journal(output)["a.png"].fingerprint == FINGERPRINT


def test_a_result_is_one_json_line_with_all_fields(output):
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
def test_a_failure_is_written_with_its_message(output, name):
    write(output, failed(output, name))
    entry = json.loads(lines(output)[0])
    assert entry["status"] == "failed"
    assert (entry["failure"]["stage"], entry["failure"]["message"]) == ("read", "cut off")
    assert read_journal(output)[name].status == "failed"


def test_large_numbers_and_numpy_floats_survive(output):
    task = replace(done(output).task, size=2**70, mtime_ns=-(2**70))
    write(output, replace(done(output), task=task, seconds={"read": np.float64(0.5)}))
    assert json.loads(lines(output)[0])["seconds"] == {"read": 0.5}
    record = read_journal(output)["a.png"]
    assert (record.size, record.mtime_ns) == (2**70, -(2**70))


def test_the_latest_record_wins(output):
    write(output, done(output), done(output, "b.png"))
    before = journal_path(output).read_bytes()
    write(output, failed(output), done(output, "b.png", written=99))
    records = read_journal(output)
    assert (records["a.png"].status, records["b.png"].written) == ("failed", 99)
    assert journal_path(output).read_bytes().startswith(before)


@pytest.mark.parametrize(
    "name", ["\udcff\udcfe.png", "new\nline.png", "-dash.png", "🔬 µ.png", 'quo"te\\.png', "x" * 240 + ".png"]
)
def test_unusual_names_survive(output, name):
    write(output, done(output, name))
    assert len(lines(output)) == 1
    (target,) = read_journal(output)
    assert target == name
    assert read_journal(output)[name].source == f"/photos/{name}"


def test_latest_records_share_values_with_their_tasks(output):
    write(output, failed(output), done(output), done(output, "\udcff.png"), done(output, "b.png"))
    tasks = [done(output, name).task for name in ("a.png", "\udcff.png", "new.png")]
    records = read_history(tasks, output).records
    assert records[2] is None
    for task, record in zip(tasks[:2], records, strict=False):
        assert (record.status, record.written, record.size, record.mtime_ns) == ("done", 3, 10, 20)
        assert record.source is task.source


def test_lines_rewritten_by_another_tool_are_read(output):
    write(output, done(output, "µ.png"))
    (line,) = lines(output)
    entry = json.loads(line)
    journal_path(output).write_text(
        "".join(json.dumps(entry, indent=indent).replace("\n", "") + "\n" for indent in (None, 1))
    )
    (record,) = read_journal(output).values()
    assert (record.target, record.source, record.written) == ("µ.png", "/photos/µ.png", 3)


def test_outputs_are_synced_before_lines_are_written(output):
    on_disk_at_sync = []

    def sync(descriptor):
        on_disk_at_sync.append((os.fstat(descriptor).st_dev, len(lines(output))))
        sync_file_system(descriptor)

    with Journal(output, FINGERPRINT, sync=sync) as journal:
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

    def fsync(descriptor):
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), journal_path(output).read_bytes() != b""))

    monkeypatch.setattr(os, "fsync", fsync)
    write(output, done(output), sync=lambda _descriptor: synced.append("outputs"))
    assert synced == ["outputs", (str(journal_path(output)), True)]


def test_late_results_wait_for_the_next_commit(output):
    """The output of a result that arrives during a commit may not be durable yet."""

    def sync(_descriptor):
        if not lines(output):
            journal.append(done(output, "late.png"))

    with Journal(output, FINGERPRINT, sync=sync) as journal:
        journal.append(done(output))
        journal.commit()
        assert list(read_journal(output)) == ["a.png"]
        journal.commit()
        assert list(read_journal(output)) == ["a.png", "late.png"]


def test_concurrent_appends_and_commits_lose_nothing(output):
    with Journal(output, FINGERPRINT) as journal, ThreadPoolExecutor(8) as threads:
        for number in range(300):
            threads.submit(journal.append, done(output, f"{number}.png"))
            threads.submit(journal.commit)
    assert len(lines(output)) == 300
    assert set(read_journal(output)) == {f"{number}.png" for number in range(300)}


def test_committed_lines_are_not_written_again(output):
    with Journal(output, FINGERPRINT) as journal:
        journal.append(done(output))
        journal.commit()
        journal.commit()
    assert len(lines(output)) == 1


def test_a_failed_check_prevents_the_write(output):
    def check():
        raise RunError("another run took over")

    with pytest.raises(RunError, match="took over"), Journal(output, FINGERPRINT, check) as journal:
        journal.append(done(output))
    assert lines(output) == []


def test_an_error_in_the_run_still_commits_results(output):
    def interrupted_run():
        with Journal(output, FINGERPRINT) as journal:
            journal.append(done(output))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert list(read_journal(output)) == ["a.png"]


def test_a_failed_sync_writes_no_lines(output):
    def sync(_descriptor):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        write(output, done(output), sync=sync)
    assert lines(output) == []


@pytest.mark.parametrize("free_bytes", [0, 1, 100, 700])
def test_a_failed_write_is_undone_and_can_be_retried(output, free_bytes):
    write(output, done(output))
    before = journal_path(output).read_bytes()
    with Journal(output, FINGERPRINT) as journal:
        journal.append(done(output, "b.png"))
        journal.append(done(output, "c.png"))
        with file_size_limit(len(before) + free_bytes), pytest.raises(OSError, match="too large"):
            journal.commit()
        assert journal_path(output).read_bytes() == before
    assert list(read_journal(output)) == ["a.png", "b.png", "c.png"]


def test_a_truncated_last_line_loses_only_itself(output):
    write(output, done(output), done(output, "b.png"))
    first, second = journal_path(output).read_bytes().splitlines(keepends=True)
    for cut in range(len(second) - 1):
        journal_path(output).write_bytes(first + second[:cut])
        assert list(read_journal(output)) == ["a.png"]
    journal_path(output).write_bytes(first + second[:-1])  # all but the line break
    assert list(read_journal(output)) == ["a.png", "b.png"]


def test_appending_after_a_truncated_line_loses_nothing(output):
    write(output, done(output), done(output, "b.png"))
    path = journal_path(output)
    path.write_bytes(path.read_bytes()[:-20])
    write(output, done(output, "c.png"), done(output, "d.png"))
    assert list(read_journal(output)) == ["a.png", "c.png", "d.png"]


@pytest.mark.parametrize(
    "line",
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
def test_a_damaged_line_is_skipped(output, line):
    write(output, done(output))
    with journal_path(output).open("ab") as file:
        file.write(line + b"\n")
    write(output, done(output, "b.png"))
    assert list(read_journal(output)) == ["a.png", "b.png"]


def test_a_newer_journal_is_refused(output):
    write(output, done(output))
    with journal_path(output).open("ab") as file:
        file.write(b'{"v": 3, "of": "things to come"}\n')
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


def test_the_output_folder_can_be_moved(output, tmp_path):
    write(output, done(output, "trip/a.png"))
    os.rename(output, tmp_path / "moved")
    assert list(read_journal(str(tmp_path / "moved"))) == ["trip/a.png"]


@pytest.fixture
def finished(tmp_path, output):
    """A task that is done: source, target and record exist."""
    source, target = tmp_path / "a.png", os.path.join(output, "a.png")
    source.write_bytes(b"picture")
    with open(target, "wb") as file:
        file.write(b"result")
    status = source.stat()
    task = Task(str(source), target, status.st_size, status.st_mtime_ns)
    write(output, Result(task, "done", written=6, source_hash=source_hash(source)))
    return task


def reason(task, output, fingerprint=FINGERPRINT):
    return reason_to_run(task, read_history([task], output).records[0], fingerprint)


def rescanned(task):
    status = os.stat(task.source)
    return replace(task, size=status.st_size, mtime_ns=status.st_mtime_ns)


def test_an_unchanged_image_is_not_processed_again(finished, output):
    assert reason(finished, output) == ""


def test_an_image_without_a_record_is_new(finished, output):
    assert reason(replace(finished, target=f"{finished.target}2"), output) == "new"


def test_a_failed_image_is_processed_again(finished, output):
    write(output, failed(output))
    assert reason(finished, output) == "failed before"


def test_a_changed_recipe_is_a_reason_to_run(finished, output):
    assert "recipe" in reason(finished, output, "g" * 64)


def test_another_source_of_the_target_is_a_reason_to_run(finished, output, tmp_path):
    assert "another source file" in reason(replace(finished, source=str(tmp_path / "b.png")), output)


def test_a_source_of_another_size_is_a_reason_to_run(finished, output):
    with open(finished.source, "ab") as file:
        file.write(b"!")
    assert reason(rescanned(finished), output) == "the source file changed in size"


def test_a_touched_source_with_equal_bytes_is_not_processed(finished, output):
    os.utime(finished.source, ns=(1, 1))
    assert reason(rescanned(finished), output) == ""


def test_changed_bytes_of_equal_size_are_a_reason_to_run(finished, output):
    with open(finished.source, "wb") as file:
        file.write(b"PICTURE")
    os.utime(finished.source, ns=(1, 1))
    assert reason(rescanned(finished), output) == "the source file changed"


def test_an_unreadable_source_with_a_new_mtime_is_a_reason(finished, output):
    os.unlink(finished.source)
    assert "cannot be read" in reason(replace(finished, mtime_ns=1), output)


def test_a_missing_output_is_a_reason_to_run(finished, output):
    os.unlink(finished.target)
    assert reason(finished, output) == "the output is missing"


def test_an_output_of_another_size_is_a_reason_to_run(finished, output):
    with open(finished.target, "ab") as file:
        file.write(b"!")
    assert reason(finished, output) == "the output was modified"
