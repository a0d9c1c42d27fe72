"""Which targets an interrupted run may have written: noted before the first result, and resolved at the end of a run.

A killed run cannot say what it wrote last. Its planned targets are therefore durable before it writes anything
(`planned`), and the run file lists the runs that were interrupted. A later run takes over the targets that it
processes itself: it is then the last run that planned them. What it had found done is settled already.

When a run ends, all its results are in the journal. Intents (`imgpool.work.intents`) that the journal does not confirm
are kept: they prove which files are imgpool's. All others are removed.
"""

import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgpool.core.errors import RunError
from imgpool.core.task import Result, Task
from imgpool.output.hash_chain import IntactJournal, digest_continued
from imgpool.output.journal import JournalEntry, read_entries
from imgpool.output.layout import JOURNAL, is_token
from imgpool.output.planned import are_among, read_planned, remove_planned, target_hash, target_hashes, write_planned
from imgpool.output.run_file import InterruptedRun, RunInfo, interrupted_runs, new_token
from imgpool.output.state_folder import replace_file
from imgpool.system.folder import Folder
from imgpool.work.intents import INTENTS_FOLDER, Intent, encode_intent, read_intents

if TYPE_CHECKING:
    from imgpool.output.planned import Hashes


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """What the plan of a run says about its targets.

    Attributes
    ----------
    key
        Identifies everything that determines the run's targets.
    to_do, done
        The tasks to process, and those that are done.
    based_on
        The run that the plan is based on, as `identify` names it; None if any will do.
    journal
        The journal that it is based on; None if that is damaged.
    """

    key: str = ""
    to_do: Sequence[Task] = ()
    done: Sequence[Task] = ()
    based_on: str | None = None
    journal: IntactJournal | None = None


def identify(last_run: RunInfo | None) -> str:
    """Name the last run and whether it has ended; empty if there was none."""
    return f"{last_run.token} {last_run.ended}" if last_run else ""


class UnsettledTargets:
    """The targets of a run that are not settled, and of earlier runs that were interrupted.

    Parameters
    ----------
    output
        The output folder.
    plan
        The run's targets.
    """

    def __init__(self, output: str, plan: PlannedRun) -> None:
        self._output = output
        self._prefix = len(os.path.join(output, ""))
        self._plan = plan
        self._settled = array("Q")
        self._earlier: tuple[InterruptedRun, ...] = ()
        self._taken_over: list[Hashes] = []

    def begin(self, state: Folder, info: RunInfo, last_run: RunInfo | None) -> RunInfo:
        """Make the planned targets of the run durable; return its run file with all interrupted runs.

        Raises
        ------
        RunError
            If another run has written into the folder since the run was planned.
        """
        if self._plan.based_on not in {None, identify(last_run)}:
            raise RunError(
                f"another run wrote into {self._output} after this one was planned", "run the same command again"
            )
        to_do = self._hashes(self._plan.to_do)
        write_planned(state, info.token, to_do)
        self._earlier = tuple(self._take_over(state, info, interrupted_runs(self._output, last_run), to_do))
        return replace(info, unsettled=(*self._earlier, InterruptedRun(info.token, self._plan.key, info.checksum)))

    def confirm(self, state: Folder, info: RunInfo) -> None:
        """Once the run file is durable: remove from the planned targets of earlier runs what this one takes over."""
        covered = self._hashes((*self._plan.to_do, *self._plan.done) if self._earlier else ())
        for run in self._earlier:
            planned = read_planned(state, run.token)
            if planned is not None:
                write_planned(state, run.token, planned[~are_among(planned, covered)])
        remove_planned(state, {run.token for run in info.unsettled})

    def settle(self, result: Result) -> None:
        """Note that a result proves what its target holds."""
        if result.sha256:
            self._settled.append(target_hash(result.task.target[self._prefix :]))

    def end(self, state: Folder, info: RunInfo) -> tuple[InterruptedRun, ...]:
        """Resolve what the run has settled; return the interrupted runs that are left.

        Call it when no worker is alive and all results are in the journal.
        """
        import numpy as np

        settled = np.array(self._settled, np.uint64)
        unconfirmed = self._keep_intents(state, info.token, settled)
        taken_over = _joined(self._taken_over)
        left = np.concatenate([taken_over[~are_among(taken_over, settled)], unconfirmed])
        if not len(left):
            return self._earlier
        write_planned(state, info.token, left)
        return (*self._earlier, info.unsettled[-1])

    def journal_digest(self, state: Folder, info: RunInfo) -> str:
        """Return the hash of the whole journal if it was intact for the plan, and still is; else an empty one."""
        if self._plan.journal is None:
            return ""
        with open(state.open_file(JOURNAL), "rb") as file:
            return digest_continued(file, self._plan.journal, info.unsettled[-1].checksum or 0)

    def _take_over(
        self, state: Folder, info: RunInfo, interrupted: Iterable[InterruptedRun], to_do: "Hashes"
    ) -> Iterator[InterruptedRun]:
        """Yield the interrupted runs with targets that this run neither processes nor has found done."""
        import numpy as np

        done = None
        for each in interrupted:
            run, planned = each, read_planned(state, each.token) if is_token(each.token) else None
            if planned is None:
                run, planned = self._limit_unknown(state, each, info, to_do)
            self._taken_over.append(planned[are_among(planned, to_do)])
            done = self._hashes(self._plan.done) if done is None else done
            if not are_among(planned, np.concatenate([to_do, done])).all():
                yield run

    def _limit_unknown(
        self, state: Folder, run: InterruptedRun, info: RunInfo, to_do: "Hashes"
    ) -> "tuple[InterruptedRun, Hashes]":
        """Take all targets in the journal, and those of this run, for the planned targets of a run that are not known.

        Other targets need not be in doubt: what the journal does not mention is never taken for done.
        """
        import numpy as np

        token = run.token if is_token(run.token) else new_token()
        checksum = info.checksum if run.checksum is None else run.checksum
        planned = np.union1d(self._recorded(), to_do)
        write_planned(state, token, planned)
        return replace(run, token=token, checksum=checksum), planned

    def _recorded(self) -> "Hashes":
        """Return the hashes of all targets in the journal."""
        return target_hashes(entry.target for entry in read_entries(self._output, JournalEntry))

    def _hashes(self, tasks: Iterable[Task]) -> "Hashes":
        return target_hashes(task.target[self._prefix :] for task in tasks)

    def _keep_intents(self, state: Folder, token: str, settled: "Hashes") -> "Hashes":
        """Keep the intents that the journal does not confirm, in one file; return the targets of those of this run."""
        import numpy as np

        kept: dict[tuple[str, str], Intent] = {}
        with suppress(FileNotFoundError), state.subfolder(INTENTS_FOLDER) as folder:
            names = [name for name in folder.names() if is_token(re.split("[-.]", name)[0])]
            resolved = np.concatenate([settled, self._hashes(self._plan.done)]) if names else settled
            for name in names:
                for intent in _unresolved(folder, name, resolved):
                    kept[intent.target, intent.sha256] = intent
            _replace_intents(folder, names, f"{token}.jsonl", kept.values())
        with suppress(OSError):
            state.remove_folder(INTENTS_FOLDER)
        return target_hashes(intent.target for intent in kept.values() if intent.run == token)


def read_all_intents(state: Folder) -> Iterator[Intent]:
    """Read the intents of all runs."""
    with suppress(FileNotFoundError), state.subfolder(INTENTS_FOLDER) as folder:
        for name in sorted(folder.names()):
            if name.endswith(".jsonl"):
                yield from read_intents(folder.open_file(name))


def _unresolved(folder: Folder, name: str, resolved: "Hashes") -> Iterator[Intent]:
    """Read the intents in a file whose targets are not among the resolved ones, which is the rule for none of them."""
    hashes = target_hashes(intent.target for intent in read_intents(folder.open_file(name)))
    unresolved = ~are_among(hashes, resolved)
    if unresolved.any():
        for intent, is_kept in zip(read_intents(folder.open_file(name)), unresolved, strict=True):
            if is_kept:
                yield intent


def _replace_intents(folder: Folder, names: Iterable[str], kept_name: str, intents: Iterable[Intent]) -> None:
    """Write the intents durably to a file of their own, then remove all other files."""
    lines = b"".join(map(encode_intent, intents))
    if lines:
        replace_file(folder, kept_name, lines, f"{kept_name}.tmp")
    for name in names:
        if not (lines and name == kept_name):
            with suppress(PermissionError):  # Windows removes no file that is open; the next run removes it
                folder.unlink(name, missing_ok=True)


def _joined(arrays: Sequence["Hashes"]) -> "Hashes":
    import numpy as np

    return np.concatenate(arrays) if arrays else np.empty(0, np.uint64)
