"""The run file: which run writes into an output folder, since when, and how the last run ended.

``OUT/.imgpool/run.json`` is written when a run starts and again when it ends, each time as a whole. In between, the
run updates the file's modification time every few seconds: its heartbeat. After a run was killed, the file has no
end time. The folder may then contain outputs that were made during that run and are not in the journal.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import msgspec

from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint
from imgpool.output.layout import RUN_FILE, is_token, journal_path, run_path, temporary_run_file
from imgpool.output.state_folder import open_state_file, open_state_folder, replace_file
from imgpool.system.paths import openable
from imgpool.system.process_identity import boot_id, own_start_time, process_start_time

VERSION = 2
"""Version of the run file's format. Version 1 named interrupted runs by their keys only."""

REMOTE_RUN_TIMEOUT_S = 60.0
"""A run on another machine counts as alive for this long after its last heartbeat."""

MAX_RUN_FILE_BYTES = 2**28
"""What is longer was not written by imgpool."""

MAX_PID = 2**31

INVALID_CONTENTS = (ValueError, KeyError, TypeError, OverflowError, RecursionError, msgspec.ValidationError)

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

MISSING_IN_OLDER_VERSIONS: dict[str, Any] = {"provenance": (), "checksum": 0, "journal_digest": "", "placing": ""}


def _utc_now() -> str:
    return time.strftime(UTC_FORMAT, time.gmtime())


def new_token() -> str:
    """Return a random identifier of a run."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class InterruptedRun:
    """A run that may have written outputs without recording them in the journal.

    Attributes
    ----------
    token
        The run's token. Its planned targets have this name, see `imgpool.output.planned`.
    key
        Identifies everything that determines the run's targets.
    checksum
        The checksum of the journal when the run started; None if an older version did not record it.
    """

    token: str
    key: str
    checksum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Contents of the run file. By default: a run that this process starts now.

    Attributes
    ----------
    v
        Version of the run file's format.
    host, pid
        Name of the machine, number of the process.
    process_started
        When the process started, in seconds after the machine's boot. Distinguishes it from a later process with the
        same number, even if the clock was set in between.
    boot
        The system's identifier of the machine's current boot; empty if it has none.
    token
        Random identifier of the run.
    since
        When the run started, in UTC: "2026-11-22T21:03:11Z".
    inputs
        Absolute paths of the inputs.
    recipe, fingerprint
        Name and fingerprint of the recipe.
    engine, workers
        Name of the engine, number of workers.
    found, skipped, to_do
        Number of results in total, of images that were done before, of images to process.
    provenance
        For each step that uses files or models, its filter and their identities:
        ``({"flat_field": {"flat": "9f86d0…"}},)``.
    journal
        Size of the journal in bytes when the run started. The lines after it belong to this run.
    checksum
        The checksum of the journal's last line when the run file was written (`imgpool.output.hash_chain`).
    journal_digest
        Hash of the whole journal when the run ended, if it was intact until then; else empty.
    placing
        How results are renamed into place, as `imgpool.system.rename.probe` found out.
    unsettled
        The interrupted runs, in the order in which they started; until it ends, the run itself is the last of them.
    ended
        When the run ended, in UTC; None while it runs, and after it was killed.
    how
        "finished", "interrupted", or "stopped: " and the reason; None if `ended` is None.
    """

    v: int = VERSION
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    process_started: float = field(default_factory=own_start_time)
    boot: str = field(default_factory=boot_id)
    token: str = field(default_factory=new_token)
    since: str = field(default_factory=_utc_now)
    inputs: tuple[str, ...]
    recipe: str
    fingerprint: str
    engine: str
    workers: int
    found: int
    skipped: int
    to_do: int
    provenance: tuple[dict[str, Any], ...] = ()
    journal: int = 0
    checksum: int = 0
    journal_digest: str = ""
    placing: str = ""
    unsettled: tuple[InterruptedRun, ...] = ()
    ended: str | None = None
    how: str | None = None

    def ended_now(self, how: str, unsettled: tuple[InterruptedRun, ...]) -> "RunInfo":
        """Return the contents of the run file for a run that ends now."""
        return replace(self, ended=_utc_now(), how=how, unsettled=unsettled)


def describe_run(run: RunInfo) -> str:
    """Describe a run in a few words: "pid 4711 on labpc, since 2026-11-22 21:03:11 UTC"."""
    return f"pid {run.pid} on {run.host}, since {readable_time(run.since)}"


def readable_time(timestamp: str) -> str:
    """Format a time of the run file for people: "2026-11-22 21:03:11 UTC"."""
    return timestamp.replace("T", " ").replace("Z", " UTC")


def read(output: str) -> RunInfo | None:
    """Read the run file of an output folder; None if there is none, or its contents are invalid.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    OSError
        If it exists but cannot be read.
    """
    path = run_path(output)
    try:
        with open_state_file(output, RUN_FILE) as file:
            size = os.fstat(file.fileno()).st_size
            entry = json.loads(file.read(min(size, MAX_RUN_FILE_BYTES)))
        version = int(entry["v"])
        if version > VERSION:
            raise UsageError(
                f"{path} was written by a newer imgpool (run file version {version})",
                f"upgrade imgpool, or choose another output folder with {Hint('output')}",
            )
        return _check(entry)
    except (FileNotFoundError, NotADirectoryError, *INVALID_CONTENTS):
        return None


def _check(entry: dict[str, Any]) -> RunInfo:
    """Convert the contents of a run file; raise `ValueError` if one has another type or an impossible value."""
    entry = MISSING_IN_OLDER_VERSIONS | entry
    values = {each.name: entry[each.name] for each in fields(RunInfo)}
    if isinstance(values["unsettled"], list):
        values["unsettled"] = [*map(_interrupted_run, values["unsettled"])]
    info = msgspec.convert(values, RunInfo)
    for timestamp in (info.since, info.ended or info.since):
        if datetime.fromisoformat(timestamp).strftime(UTC_FORMAT) != timestamp:
            raise ValueError(timestamp)
    if info.v < 1 or not is_token(info.token) or not 0 < info.pid < MAX_PID or info.journal < 0:
        raise ValueError(info.token)
    return info


def _interrupted_run(entry: object) -> object:
    """Return an entry of `RunInfo.unsettled` with all fields; older versions wrote the key only."""
    return {"token": "", "key": entry, "checksum": None} if isinstance(entry, str) else entry


def interrupted_runs(output: str, last_run: RunInfo | None) -> tuple[InterruptedRun, ...]:
    """Return the runs that may have written outputs without recording them.

    Parameters
    ----------
    output
        The output folder.
    last_run
        Its run file as `read` returned it. If it is None although a run file or a journal exists, it was damaged or
        lost, and there may have been any run.
    """
    if last_run:
        return last_run.unsettled
    was_run = any(os.path.lexists(openable(str(path(output)))) for path in (run_path, journal_path))
    return (InterruptedRun("", "", None),) if was_run else ()


def write(output: str, info: RunInfo) -> None:
    """Replace the run file of an output folder, atomically and durably."""
    content = json.dumps(asdict(info), indent=1).encode()
    with open_state_folder(output) as state:
        replace_file(state, RUN_FILE, content, temporary_run_file(info.token))


def touch(output: str) -> None:
    """Set the modification time of the run file to now: the run's heartbeat."""
    with open_state_folder(output) as state:
        state.touch(RUN_FILE)


def is_alive(output: str, info: RunInfo, *, local_clock_ns: Callable[[], int] = time.time_ns) -> bool:
    """Check whether a run is still alive.

    A run on this machine is alive if its process exists. A run on another machine is alive if its last heartbeat is
    recent. The age of the heartbeat is measured by the clock of the file system, which may differ from this machine's.

    Parameters
    ----------
    output
        The output folder.
    info
        Contents of the run file.
    local_clock_ns
        This machine's clock, in nanoseconds since 1970.
    """
    if info.ended is not None:
        return False
    if info.host == socket.gethostname():
        started = process_start_time(info.pid) if info.boot == boot_id() else None
        return started is not None and abs(started - info.process_started) < 1
    now = output_clock_ns(output, local_clock_ns=local_clock_ns)
    return abs(now - _last_heartbeat_ns(output)) < REMOTE_RUN_TIMEOUT_S * 1e9


def output_clock_ns(output: str, *, local_clock_ns: Callable[[], int] = time.time_ns) -> int:
    """Return the time by the clock of the output's file system; by this machine's if nothing can be written there."""
    try:
        with open_state_folder(output) as state:
            return state.clock_ns()
    except OSError:
        return local_clock_ns()


def _last_heartbeat_ns(output: str) -> int:
    """Return the run file's modification time. Opening the file keeps a network share from answering from its cache."""
    try:
        with open_state_file(output, RUN_FILE) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return 0
