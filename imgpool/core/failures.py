"""Turn an exception into a `Failure`: one sentence that says what is wrong, and what to do about it."""

import errno
import re
import traceback

from imgpool.core.errors import ImgpoolError
from imgpool.core.hint import Hint
from imgpool.core.system_limits import NO_MORE_FILES, RERUN, explain_limit
from imgpool.core.task import Failure, Stage

OTHER_OUTPUT = f"choose another folder with {Hint('output')}"
OUTPUT_GONE = ("the disk or share of the output is gone", f"bring it back, {RERUN}")

OUTPUT_ERRORS = {
    errno.ENOSPC: ("the disk is full", f"free some space, {RERUN}"),
    errno.EDQUOT: ("the disk quota is exceeded", f"free some space, {RERUN}"),
    errno.EROFS: ("the output is on a read-only file system", f"make it writable, or {OTHER_OUTPUT}"),
    errno.EIO: ("the disk or share of the output has an error (input/output error)", f"check it, {RERUN}"),
} | dict.fromkeys(
    (errno.ESTALE, errno.ENOTCONN, errno.ESHUTDOWN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ENODEV),
    OUTPUT_GONE,
)
"""Message and hint of the write errors that concern every output: the run stops."""

SINGLE_OUTPUT_ERRORS = {
    errno.ENAMETOOLONG: ("the file name of the output is too long", "shorten the name of the source"),
    errno.EFBIG: (
        "the output is larger than the file system or the file size limit allows",
        "check `ulimit -f`, and the limits of the file system",
    ),
    errno.EXDEV: ("its target is on a different file system than the output folder", OTHER_OUTPUT),
}
"""Message and hint of the write errors that concern a single output."""

WINDOWS_ERRNOS = dict.fromkeys((39, 112), errno.ENOSPC) | {
    19: errno.EROFS,
    206: errno.ENAMETOOLONG,
    1295: errno.EDQUOT,
} | dict.fromkeys((21, 53, 55, 59, 64, 67, 1167), errno.ENODEV)  # fmt: skip
"""Errors of Windows (<winerror.h>) for which Python sets a vague ``errno``, and the one that says what is wrong."""

WINDOWS_FILE_ERRORS = dict.fromkeys(
    (32, 33), ("the file, or its output, is open in another program", f"close it there, {RERUN}")
) | {123: ("Windows does not allow the name of its output", "rename the source")}
"""Message and hint of the errors that only Windows has."""

PERMISSION_ERRORS: dict[str, tuple[str, str]] = {
    "read": ("it cannot be read (permission denied)", "allow it with chmod +rX, or run as its owner"),
    "write": ("it cannot be written (permission denied)", f"allow it with chmod -R +w, or {OTHER_OUTPUT}"),
}
"""Message and hint where the system denies access, by stage."""

SYSTEM_ERROR_HINTS = {
    errno.ENOENT: f"check the path, {RERUN}",
    errno.ENOTDIR: f"check the path: a part of it is not a folder, {RERUN}",
    errno.EISDIR: f"give a file instead of a folder, {RERUN}",
    errno.ELOOP: f"remove the loop of links, {RERUN}",
    errno.EACCES: f"allow it, or run as the owner, {RERUN}",
    errno.EPERM: f"allow it, or run as the owner, {RERUN}",
    errno.ENOSPC: f"free some space, {RERUN}",
    errno.EDQUOT: f"free some space, {RERUN}",
    errno.EROFS: f"make the file system writable, {RERUN}",
}
"""What to do about other errors of the system."""

UNKNOWN_ERRORS: dict[Stage, str] = {
    "read": "it is damaged, or of a kind that imgpool does not know",
    "filter": "a filter failed",
    "write": "the result cannot be written",
    "worker": "an unexpected error occurred",
}
"""Message of an error that neither imgpool nor the system describes, by stage."""

OUT_OF_MEMORY = re.compile(
    "(insufficient|not enough|out of|cannot allocate) memory|failed to allocate|bad_alloc|^encoding error 1$"
    "|failed to map segment",
    re.IGNORECASE,
)
"""Texts of the errors that libraries raise instead of MemoryError; the last two are libwebp's and the loader's."""


def explain(error: BaseException, stage: Stage, memory_needed: int = 0) -> Failure:
    """Describe an error as a failure.

    Parameters
    ----------
    error
        What was raised.
    stage
        The stage in which it was raised.
    memory_needed
        Estimate of the memory that the image needs, in bytes; 0 if unknown.
    """
    if lacks_memory(error):
        message, hint = _describe_lack_of_memory(memory_needed)
    else:
        message, hint = _describe(error, stage)
    return Failure(
        stage=stage,
        error=_public_class_name(error),
        message=message,
        hint=hint,
        traceback="".join(traceback.format_exception(error)),
    )


def lacks_memory(error: BaseException) -> bool:
    """Whether an error was caused by too little memory, so that a retry with more may succeed."""
    return isinstance(error, MemoryError) or bool(OUT_OF_MEMORY.search(_text_of(error)))


def stops_the_run(failure: Failure | None) -> bool:
    """Whether every other image would fail too: the output cannot be written, or no more files can be opened."""
    if failure is None:
        return False
    messages = {message for message, _ in OUTPUT_ERRORS.values()} if failure.stage == "write" else set()
    return failure.message in messages | {NO_MORE_FILES}


def _public_class_name(error: BaseException) -> str:
    """Return the name of the error's class; of its nearest public base class if its own is private."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__name__[0] != "_")


def _describe_lack_of_memory(memory_needed: int) -> tuple[str, str]:
    figure = f" (about {memory_needed / 1e6:,.0f} MB by its header)" if memory_needed else ""
    return (
        f"it needs more memory than is available{figure}",
        f"raise {Hint('max_memory')}, and `ulimit -v` if it is set, or use a machine with more memory",
    )


def _describe(error: BaseException, stage: Stage) -> tuple[str, str]:
    """Return message and hint."""
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    if limit := explain_limit(error):
        return limit
    if isinstance(error, OSError) and error.strerror:
        return _describe_system_error(error, stage)
    if stage == "read":  # the texts of decoders are written for programmers
        return UNKNOWN_ERRORS[stage], (
            f"check whether another program opens it; run it alone with {Hint('verbose')} to see the traceback"
        )
    text = _text_of(error)
    message = f"{UNKNOWN_ERRORS[stage]} ({text})" if text else UNKNOWN_ERRORS[stage]
    return message, f"run it alone with {Hint('verbose')} to see the traceback"


def _text_of(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - making the text of an exception may raise anything
        return ""


def _describe_system_error(error: OSError, stage: Stage) -> tuple[str, str]:
    windows_error = getattr(error, "winerror", None) or 0
    if windows_error in WINDOWS_FILE_ERRORS:
        return WINDOWS_FILE_ERRORS[windows_error]
    number = WINDOWS_ERRNOS.get(windows_error, error.errno)
    if stage == "write" and number in OUTPUT_ERRORS | SINGLE_OUTPUT_ERRORS:
        return (OUTPUT_ERRORS | SINGLE_OUTPUT_ERRORS)[number]
    if stage == "read" and isinstance(error, FileNotFoundError):
        return "it no longer exists, or is a broken link", f"restore it, {RERUN}"
    if isinstance(error, PermissionError) and stage in PERMISSION_ERRORS:
        return PERMISSION_ERRORS[stage]
    return _describe_other_system_error(error)


def _describe_other_system_error(error: OSError) -> tuple[str, str]:
    reason = error.strerror or ""
    hint = SYSTEM_ERROR_HINTS.get(error.errno or 0, f"check the disk or share, {RERUN}")
    return reason[:1].lower() + reason[1:], hint
