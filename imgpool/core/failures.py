"""From an exception to a `Failure`: one sentence and a remedy, in the words of whoever has to act."""

import errno
import re
import traceback

from imgpool.core.errors import ImgpoolError
from imgpool.core.task import Failure, Stage

AGAIN = "then run the same command again"
SHARE_GONE = ("the disk or share of the output is gone", f"bring it back, {AGAIN}")

OUTPUT_TROUBLE = {
    errno.ENOSPC: ("the disk is full", f"make space, {AGAIN}"),
    errno.EDQUOT: ("the disk quota is used up", f"make space, {AGAIN}"),
    errno.EROFS: ("the output is on a read-only file system", "make it writable, or choose another folder with -o"),
    errno.EIO: ("the disk or share of the output has an error (input/output error)", f"check it, {AGAIN}"),
} | dict.fromkeys(
    (errno.ESTALE, errno.ENOTCONN, errno.ESHUTDOWN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ENODEV),
    SHARE_GONE,
)
"""What keeps every other output from being written likewise."""

OUTPUT_FAILURES = {
    errno.ENAMETOOLONG: ("the output's name is too long", "shorten the name of the source"),
    errno.EFBIG: ("the output is larger than may be written there", "see `ulimit -f`, and what its file system holds"),
    errno.EXDEV: ("its folder is on another file system than the output", "choose another folder with -o"),
}
"""What keeps one output from being written."""


NO_MEMORY = re.compile(
    "(insufficient|not enough|out of|cannot allocate) memory|failed to allocate|bad_alloc|^encoding error 1$",
    re.IGNORECASE,
)
"""What libraries say that have errors of their own for it; the last is Pillow's, of libwebp."""


def explain(error: BaseException, stage: Stage, need: int = 0) -> Failure:
    """What to tell about `error`, raised in `stage`; `need` is the memory in bytes that the image ought to take."""
    message, hint = _lack_of_memory(need) if lacks_memory(error) else _sentence(error, stage)
    return Failure(
        stage=stage,
        error=next(kind.__name__ for kind in type(error).__mro__ if kind.__name__[0] != "_"),
        message=message,
        hint=hint,
        traceback="".join(traceback.format_exception(error)),
    )


def lacks_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, so that it may go well where there is more."""
    return isinstance(error, MemoryError) or bool(NO_MEMORY.search(_text(error)))


def _lack_of_memory(need: int) -> tuple[str, str]:
    figure = f" (about {need / 1e6:,.0f} MB by its header)" if need else ""
    return f"it needs more memory than there is{figure}", "raise --max-memory, or use a machine that has more"


def _sentence(error: BaseException, stage: Stage) -> tuple[str, str]:
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    if isinstance(error, OSError) and error.strerror:
        return _system_sentence(error, stage)
    text = _text(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__, "run it alone with -v to see where"


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an exception's text is code as well
        return ""


def _system_sentence(error: OSError, stage: Stage) -> tuple[str, str]:
    reason = error.strerror or ""
    known = OUTPUT_TROUBLE | OUTPUT_FAILURES
    if stage == "write" and error.errno in known:
        return known[error.errno]
    if stage == "read" and isinstance(error, FileNotFoundError):
        return "it is not there any more, or a broken link", f"restore it, {AGAIN}"
    if stage == "read" and isinstance(error, PermissionError):
        return "it may not be read (permission denied)", "chmod +rX, or run as its owner"
    if stage == "write" and isinstance(error, PermissionError):
        return "it may not be written to (permission denied)", "chmod -R +w, or choose another folder with -o"
    return reason[:1].lower() + reason[1:], ""


def stops_the_run(failure: Failure | None) -> bool:
    """Whether every other image would fail likewise: the output takes no more."""
    trouble = {sentence for sentence, _ in OUTPUT_TROUBLE.values()}
    return failure is not None and failure.stage == "write" and failure.message in trouble
