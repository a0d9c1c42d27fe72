"""What proves that imgpool wrote a file: every hash that the journal and the intents hold for a target."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from imgpool.core.errors import UsageError
from imgpool.output.journal import JournalEntry, parse_line
from imgpool.output.layout import JOURNAL, journal_path
from imgpool.output.records import HashedRecord
from imgpool.output.state_folder import open_state_file, open_state_folder
from imgpool.output.unsettled import read_all_intents


class _OwnershipEntry(JournalEntry, gc=False):
    """The fields of a journal line that say what was written from which source."""

    source: str
    sha256: str


@dataclass(slots=True)
class Evidence:
    """The results that imgpool is proved to have put at a target.

    Attributes
    ----------
    sources
        The source of each, by its SHA-256.
    recorded
        SHA-256 of the result in the last record, see `imgpool.output.records`; empty if there is none.
    """

    sources: dict[str, str] = field(default_factory=dict)
    recorded: str = ""


def find_evidence(targets: Iterable[str], output: str) -> dict[str, Evidence]:
    """Collect what the journal and the intents of all runs say about some targets.

    Damaged lines count as far as they can be read: a file with the hash in such a line was written by imgpool.

    Parameters
    ----------
    targets
        Absolute paths.
    output
        The output folder.

    Returns
    -------
    dict
        What is known of each target that is mentioned.
    """
    wanted = set(targets)
    found: dict[str, Evidence] = {}
    if not wanted:
        return found
    prefix, name = os.path.join(output, ""), str(journal_path(output))
    with contextlib.suppress(FileNotFoundError), open_state_file(output, JOURNAL) as file:
        for line in file:
            entry = _parse(line, name)
            if entry and entry.sha256 and (target := prefix + entry.target) in wanted:
                known = found.setdefault(target, Evidence())
                known.sources[entry.sha256] = entry.source
                if isinstance(entry, HashedRecord) and entry.status == "done":
                    known.recorded = entry.sha256
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), open_state_folder(output) as state:
        for intent in read_all_intents(state):
            if (target := prefix + intent.target) in wanted:
                found.setdefault(target, Evidence()).sources[intent.sha256] = intent.source
    return found


def _parse(line: bytes, name: str) -> HashedRecord | _OwnershipEntry | None:
    """Decode a line as far as it is intact; a version that is too new was refused before, or is damage."""
    try:
        return parse_line(line, name, HashedRecord) or parse_line(line, name, _OwnershipEntry)
    except UsageError:
        return None
