"""The state folder, ``OUT/.imgpool``, which holds imgpool's own files; each use of it starts here.

It is opened once per use, relative to the output folder, and everything in it relative to its descriptor. The output
folder itself may be a link. Whatever is below it may come from somebody else, for example in a downloaded folder:
links, pipes, sockets, devices and folders in the place of files are refused, and nothing is deleted that does not
carry the token of this run or of one that is known to be dead.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO

from imgpool.core.errors import RunError
from imgpool.core.hint import Hint
from imgpool.output.layout import (
    JOURNAL,
    LOCK,
    PLANNED_FOLDER,
    RUN_FILE,
    SCRATCH,
    STATE_FOLDER,
    is_token,
    temporary_run_file,
)
from imgpool.system.durability import sync_file
from imgpool.system.folder import Folder, UnexpectedFileError
from imgpool.system.paths import openable
from imgpool.work.intents import INTENTS_FOLDER
from imgpool.work.placing import REPLACED_FOLDER

FILES = (JOURNAL, RUN_FILE, LOCK)
FOLDERS = (SCRATCH, PLANNED_FOLDER, INTENTS_FOLDER, REPLACED_FOLDER)


def open_state_folder(output: str, *, create: bool = False) -> Folder:
    """Open the state folder of an output folder.

    Parameters
    ----------
    output
        The output folder.
    create
        Create both folders if they do not exist.

    Raises
    ------
    UnexpectedFileError
        If it is a link, or anything else than a folder.
    OSError
        If there is none, or it must not be opened.
    """
    if create:
        _create_output(output)
    with Folder.open(output) as folder:
        return folder.subfolder(STATE_FOLDER, create=create)


def check_state_folder(state: Folder) -> None:
    """Check the kinds of all entries that imgpool uses, before it changes any.

    Raises
    ------
    UnexpectedFileError
        If one is a link, or anything else than what imgpool makes.
    """
    for name in FILES:
        state.check(name, "a file", missing_ok=True)
    for name in FOLDERS:
        state.check(name, "a folder", missing_ok=True)
    for name in (PLANNED_FOLDER, INTENTS_FOLDER):
        with suppress(FileNotFoundError), state.subfolder(name) as folder:
            for each in folder.names():
                folder.check(each, "a file", missing_ok=True)


def open_state_file(output: str, name: str) -> BinaryIO:
    """Open a file in the state folder for reading; errors as of `imgpool.system.folder.Folder.open_file`."""
    with open_state_folder(output) as state:
        return os.fdopen(state.open_file(name), "rb")


def replace_file(folder: Folder, name: str, content: bytes, temporary: str) -> None:
    """Replace a file in the state folder, completely and durably, or leave it as it is.

    Parameters
    ----------
    folder
        The state folder, or one in it.
    name
        The file.
    content
        Its new content.
    temporary
        Name under which the content is written first; a file that has this name is removed.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder.unlink(temporary, missing_ok=True)
    try:
        with os.fdopen(folder.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(content)
            file.flush()
            sync_file(file.fileno())
        folder.replace(temporary, folder, name)
    except OSError:
        with suppress(OSError):
            folder.unlink(temporary, missing_ok=True)
        raise
    folder.sync()


def open_journal(output: str) -> BinaryIO:
    """Open the journal for reading and appending; create it if there is none.

    Raises
    ------
    UnexpectedFileError
        If it is a link or no file.
    RunError
        If the file has another name elsewhere: what is appended would appear there too.
    """
    with open_state_folder(output, create=True) as state:
        descriptor = state.open_file(JOURNAL, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        path = os.path.join(output, STATE_FOLDER, JOURNAL)
        raise RunError(
            f"{path} is also another file (a hard link), which this run would change too",
            "replace it by a copy: copy it to another name in its folder, and rename the copy to its name",
        )
    return os.fdopen(descriptor, "ab+", buffering=0)


def journal_size(output: str) -> int:
    """Return the size of the journal in bytes; 0 if there is none."""
    with suppress(FileNotFoundError), open_state_file(output, JOURNAL) as file:
        return os.fstat(file.fileno()).st_size
    return 0


def remove_temporary_files(output: str, tokens: Iterable[str]) -> None:
    """Remove the scratch folders and partial run files of runs, as far as possible.

    Parameters
    ----------
    output
        The output folder.
    tokens
        The tokens of this run or of runs that are dead; what is no token is ignored.

    Raises
    ------
    UnexpectedFileError
        If the folder of the scratch folders is a link, or no folder.
    """
    own = [token for token in tokens if is_token(token)]
    with suppress(FileNotFoundError), open_state_folder(output) as state:
        for token in own:
            with suppress(OSError):
                state.unlink(temporary_run_file(token))
        with state.subfolder(SCRATCH) as scratch:
            for token in own:
                with suppress(OSError, UnexpectedFileError):
                    scratch.remove_tree(token)
        with suppress(OSError):  # it holds the scratch folders of other runs
            state.remove_folder(SCRATCH)


def _create_output(output: str) -> None:
    try:
        os.makedirs(openable(output), exist_ok=True)
    except FileExistsError:
        if not os.path.islink(output):
            raise
        raise RunError(
            f"the output folder {output} is a link to a folder that does not exist",
            f"create that folder, or choose another output folder with {Hint('output')}",
        ) from None
