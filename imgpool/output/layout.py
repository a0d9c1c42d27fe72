"""Names and paths in an output folder."""

import os
import re
from pathlib import Path

from imgpool.core.catalogue import split_extension
from imgpool.system.paths import openable

STATE_FOLDER = ".imgpool"
"""Name of the folder in every output folder that holds imgpool's own files."""

JOURNAL, RUN_FILE, LOCK, SCRATCH = "journal.jsonl", "run.json", "lock", "tmp"
"""Names in the state folder: the files, and the folder that holds the scratch folder of each run."""

PLANNED_FOLDER = "planned"
"""Name in the state folder of the folder that holds the planned targets of each run."""

SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that operating systems create; they hold no results."""

TOKEN = re.compile(r"[0-9a-f]{16}")
"""A token of a run: so long and plain that no file of a user passes for one, and no path."""

FileId = tuple[int, int]
"""Device and inode number: identifies a file or folder whatever its path."""


def state_folder(output: str) -> Path:
    """Return the folder of imgpool's own files in an output folder."""
    return Path(output, STATE_FOLDER)


def journal_path(output: str) -> Path:
    """Return the path of the journal."""
    return Path(output, STATE_FOLDER, JOURNAL)


def run_path(output: str) -> Path:
    """Return the path of the run file."""
    return Path(output, STATE_FOLDER, RUN_FILE)


def scratch_folder(output: str, token: str) -> str:
    """Return the folder where one run writes outputs before it renames them into place."""
    return os.path.join(output, STATE_FOLDER, SCRATCH, token)


def temporary_run_file(token: str) -> str:
    """Return the name in the state folder under which a run writes its run file before it renames it."""
    return f"run-{token}.tmp"


def is_token(value: object) -> bool:
    """Check whether a value can be the token of a run: a name that never leads out of a folder."""
    return isinstance(value, str) and bool(TOKEN.fullmatch(value))


def file_id(path: str) -> FileId | None:
    """Identify the file or folder that a path leads to; None if there is none."""
    try:
        status = os.stat(openable(path))
    except OSError:
        return None
    return status.st_dev, status.st_ino


def default_output(first: str | os.PathLike[str]) -> str:
    """Return the default output folder, beside the first input: ``photos-processed`` for ``photos``."""
    folder, name = os.path.split(os.path.abspath(first))
    stem = name if os.path.isdir(first) else split_extension(name)[0]
    return os.path.join(folder, f"{stem}-processed")
