"""Output folders as past runs left them: a journal and a run file, written by hand."""

import os
from dataclasses import replace

from imgpool.core.task import Failure, Result, Task
from imgpool.output import run_file
from imgpool.output.journal import Journal
from imgpool.output.layout import journal_path
from imgpool.output.reader import JournalReader
from imgpool.output.records import TaskRecord
from tests.support.run_files import run_of

SINCE = "2026-11-22T21:03:11Z"
ENDED = {"ended": "2026-11-22T21:03:21Z", "how": "finished"}
KILLED = {"process_started": -10.0}  # the process with this number is another one


def done(output, name="a.png", **changes):
    task = Task(f"/photos/{name}", os.path.join(output, name), 10, 20)
    return replace(Result(task, "done", written=3, sha256="00" * 32, source_hash="s"), **changes)


def failed(output, name="a.png", error="ReadError", message="cut off"):
    failure = Failure("read", error, message, "copy it again", "Traceback …")
    return Result(done(output, name).task, "failed", failure)


def write_journal(output, *results):
    with Journal(output, "f" * 64) as journal:
        for result in results:
            journal.append(result)


def read_journal(output):
    """Read the last record of every target, by its path relative to the output folder."""
    return {record.target: record for record in JournalReader(output, TaskRecord).entries()}


def write_run(output, **changes):
    """Write the run file of a run over 10 images; without changes, it is a live run of this process."""
    journal = journal_path(output)
    journal.parent.mkdir(parents=True, exist_ok=True)
    size = journal.stat().st_size if journal.exists() else 0
    info = run_of(**{"since": SINCE, "found": 10, "skipped": 0, "to_do": 10, "journal": size} | changes)
    run_file.write(output, info)
    return info
