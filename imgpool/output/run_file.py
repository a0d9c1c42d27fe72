"""The run file: who writes into an output folder, since when, and how the last run there ended.

``OUT/.imgpool/run.json`` is written when a run starts writing and again when it ends, whole each time; in between
the run touches it every few seconds to show that it lives. A run that is killed leaves it without an end: outputs
made since its start may then stand in the folder that no journal knows.
"""

import json
import os
import secrets
import socket
import tempfile
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from imgpool.core.errors import UsageError
from imgpool.output.layout import run_path, state_folder
from imgpool.system.process_identity import boot_id, own_start_time, process_start_time

VERSION = 1
FRESH = 60.0
"""Seconds after its last sign of life in which a run on another machine counts as alive."""


def _utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _new_token() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What the run file tells; by default that this process starts a run now.

    Attributes
    ----------
    v
        The version of the run file.
    host, pid
        The machine and the process that run.
    process_started
        Seconds between the machine's boot and the start of the process: tells it from one that has got its number
        since, also where the clock was set meanwhile.
    boot
        The system's own name for this boot of the machine; empty where it has none.
    token
        Random; of this run alone.
    since
        When the run started writing, in UTC: "2026-11-22T21:03:11Z".
    inputs
        Absolute paths.
    recipe, fingerprint
        The recipe's name and hash.
    engine, workers
        What runs the images.
    found, skipped, to_do
        Results that there will be in all, images that were done before, images to run.
    provenance
        What the recipe's files and models are, as `imgpool.batch.run.Run.leant_on`.
    sockets
        The folder in which this process meets its workers: a killed run leaves it behind.
    journal
        Bytes of the journal when the run started: what stands after them is this run's.
    unsettled_since_ns
        By the clock of the output's file system, the start of the first run that may have left outputs that are not
        in the journal; None if there is none.
    unsettled
        The runs that may have left such outputs, each by what its targets follow from.
    ended
        When the run ended, in UTC; None while it runs, and for ever if it is killed.
    how
        "finished", "interrupted", or "stopped: " and why it could not go on; None as long as `ended` is.
    """

    v: int = VERSION
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    process_started: float = field(default_factory=own_start_time)
    boot: str = field(default_factory=boot_id)
    token: str = field(default_factory=_new_token)
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
    sockets: str = ""
    journal: int = 0
    unsettled_since_ns: int | None = None
    unsettled: tuple[str, ...] = ()
    ended: str | None = None
    how: str | None = None

    def ending(self, how: str, unsettled: tuple[str, ...]) -> "RunInfo":
        """The same run, ended now."""
        since = self.unsettled_since_ns if unsettled else None
        return replace(self, ended=_utc_now(), how=how, unsettled=unsettled, unsettled_since_ns=since)


def who(run: RunInfo) -> str:
    """A run in a few words: "pid 4711 on labpc, since 2026-11-22 21:03:11 UTC"."""
    return f"pid {run.pid} on {run.host}, since {instant(run.since)}"


def instant(moment: str) -> str:
    """A time of the run file as people read it: "2026-11-22 21:03:11 UTC"."""
    return moment.replace("T", " ").replace("Z", " UTC")


def read(output: str) -> RunInfo | None:
    """The run file of an output folder; None where there is none, or it is no run file.

    Raises
    ------
    UsageError
        If a newer imgpool wrote it.
    OSError
        If it is there and cannot be read.
    """
    path = run_path(output)
    try:
        entry = json.loads(path.read_bytes())
        version = int(entry["v"])
        if version > VERSION:
            raise UsageError(
                f"{path} was written by a newer imgpool (version {version} of the run file)",
                "upgrade imgpool, or choose another folder with -o",
            )
        entry.setdefault("provenance", ())  # of an older imgpool
        values = {each.name: entry[each.name] for each in fields(RunInfo)}
        return RunInfo(**values | {name: tuple(values[name]) for name in ("inputs", "provenance", "unsettled")})
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, OverflowError):
        return None


def write(output: str, info: RunInfo) -> None:
    """Replace the run file of an output folder, whole and durably."""
    path = run_path(output)
    temporary = path.with_name(f"run-{info.token}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(json.dumps(asdict(info), indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_half_written(output: str) -> None:
    """Remove what a run left that was killed while it wrote its run file."""
    for path in run_path(output).parent.glob("run-*.tmp"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a renaming in it durable; some systems open no folders, and some file systems sync none."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def is_alive(output: str, info: RunInfo) -> bool:
    """Whether a run is still there.

    On this host its process is looked for. A run elsewhere is alive as long as it touches its run file; its age is
    told by the clock of the file system that holds it, which is not always this machine's.
    """
    if info.ended is not None:
        return False
    if info.host == socket.gethostname():
        started = process_start_time(info.pid) if info.boot == boot_id() else None
        return started is not None and abs(started - info.process_started) < 1
    return abs(clock_ns(output) - _touched_ns(output)) < FRESH * 1e9


def clock_ns(output: str) -> int:
    """What the clock of the output's file system shows; this machine's where nothing can be written there."""
    try:
        with tempfile.TemporaryFile(dir=state_folder(output)) as probe:
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return time.time_ns()


def _touched_ns(output: str) -> int:
    """When the run file was touched; it is opened, for otherwise a network share may tell what it remembers."""
    try:
        with run_path(output).open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return 0
