"""From an exception to a `Failure`: one sentence and a remedy, in the words of whoever has to act."""

import errno
import traceback

from imgpool.core.errors import ImgpoolError
from imgpool.core.task import Failure, Stage

OUTPUT_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the output is on a read-only file system",
}


def explain(error: BaseException, stage: Stage) -> Failure:
    """What to tell about `error`, raised in `stage`."""
    message, hint = _sentence(error, stage)
    return Failure(
        stage=stage,
        error=next(kind.__name__ for kind in type(error).__mro__ if kind.__name__[0] != "_"),
        message=message,
        hint=hint,
        traceback="".join(traceback.format_exception(error)),
    )


def _sentence(error: BaseException, stage: Stage) -> tuple[str, str]:
    if isinstance(error, ImgpoolError):
        return error.message, error.hint
    if isinstance(error, MemoryError):
        return "it needs more memory than a worker may use", "raise --max-memory, or run fewer workers with -j"
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
    if error.errno in OUTPUT_FULL and stage == "write":
        return OUTPUT_FULL[error.errno], "make space, then run the same command again"
    if stage == "read" and isinstance(error, FileNotFoundError):
        return "it is not there any more, or a broken link", "restore it, then run the same command again"
    if stage == "read" and isinstance(error, PermissionError):
        return "it may not be read (permission denied)", "chmod +rX, or run as its owner"
    if stage == "write" and isinstance(error, PermissionError):
        return "it may not be written to (permission denied)", "chmod -R +w, or choose another folder with -o"
    if error.errno == errno.ENAMETOOLONG:
        return "the output's name is too long", "shorten the name of the source"
    return reason[:1].lower() + reason[1:], ""


def stops_the_run(failure: Failure | None) -> bool:
    """Whether every other image would fail likewise: the output takes no more."""
    return failure is not None and failure.stage == "write" and failure.message in OUTPUT_FULL.values()
