"""The planned targets of a run: everything that it may have written if it is killed.

``OUT/.imgpool/planned/RUN`` holds the 64-bit XXH3 hash of each target's relative path, sorted, 8 bytes each, and at the
end the hash of all that. It is durable before the run writes its first result. Once a later run has settled a target,
its hash is removed; a file without hashes is deleted.
"""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import compress
from typing import TYPE_CHECKING

from imgpool.output.layout import PLANNED_FOLDER, is_token
from imgpool.output.run_file import RunInfo, interrupted_runs
from imgpool.output.state_folder import open_state_folder, replace_file
from imgpool.system.folder import Folder
from imgpool.system.paths import USES_SLASHES, portable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

TEMPORARY = ".tmp"
"""Extension of a file that is being written."""

_HASH_BYTES = 8


def target_hashes(targets: Iterable[str]) -> "Hashes":
    """Return the hashes of targets, in their order.

    Parameters
    ----------
    targets
        Paths relative to the output folder; bytes that are not UTF-8 are represented by surrogates.
    """
    import numpy as np
    from xxhash import xxh3_64_intdigest

    portable_targets = targets if USES_SLASHES else map(portable, targets)
    return np.fromiter((xxh3_64_intdigest(os.fsencode(target)) for target in portable_targets), np.uint64)


def target_hash(target: str) -> int:
    """Return the hash of one target, as `target_hashes` does."""
    from xxhash import xxh3_64_intdigest

    return xxh3_64_intdigest(os.fsencode(target if USES_SLASHES else portable(target)))


def are_among(hashes: "Hashes", others: "Hashes") -> "NDArray[np.bool_]":
    """Say for each hash whether it is among others: `numpy.isin` without the modules that it imports."""
    import numpy as np

    ordered = np.sort(others)
    positions = np.searchsorted(ordered, hashes)
    found = positions < len(ordered)
    found[found] = ordered[positions[found]] == hashes[found]
    return found


def write_planned(state: Folder, run: str, hashes: "Hashes") -> None:
    """Write the planned targets of a run durably, replacing what there is.

    Parameters
    ----------
    state
        The folder of imgpool's own files.
    run
        Token of the run.
    hashes
        Hashes of the targets, in any order.
    """
    import numpy as np
    from xxhash import xxh3_64_digest

    data = np.sort(hashes).astype("<u8").tobytes()
    with state.subfolder(PLANNED_FOLDER, create=True) as folder:
        replace_file(folder, run, data + xxh3_64_digest(data), run + TEMPORARY)
    state.sync()


def read_planned(state: Folder, run: str) -> "Hashes | None":
    """Read the sorted hashes of a run's planned targets; None if they are not known: any target may be among them."""
    import numpy as np
    from xxhash import xxh3_64_digest

    try:
        with state.subfolder(PLANNED_FOLDER) as folder, open(folder.open_file(run), "rb") as file:
            content = file.read()
    except (FileNotFoundError, ValueError):
        return None
    data, digest = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    return np.frombuffer(data, "<u8") if digest == xxh3_64_digest(data) else None


def remove_planned(state: Folder, keep: Iterable[str]) -> None:
    """Remove the planned targets of all runs but those to keep. What cannot be removed stays."""
    kept = set(keep)
    with suppress(FileNotFoundError), state.subfolder(PLANNED_FOLDER) as folder:
        for name in folder.names():
            if name not in kept and is_token(name.removesuffix(TEMPORARY)):
                with suppress(OSError):
                    folder.unlink(name)
    with suppress(OSError):  # others are left
        state.remove_folder(PLANNED_FOLDER)


def interrupted_targets(targets: Collection[str], output: str, last_run: RunInfo | None) -> set[str]:
    """Return those targets, by their paths in the output folder, that an interrupted run planned."""
    import numpy as np

    interrupted = interrupted_runs(output, last_run)
    if not interrupted:
        return set()
    hashes = target_hashes(targets)
    with open_state_folder(output) as state:
        planned = [read_planned(state, run.token) for run in interrupted]
    if any(each is None for each in planned):
        return set(targets)
    return set(compress(targets, are_among(hashes, np.concatenate([each for each in planned if each is not None]))))
