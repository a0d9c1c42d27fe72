"""File names in UTF-8, whatever the locale says."""

import os
import sys
from contextlib import suppress


def use_utf8_names() -> None:
    """Start this program again in Python's UTF-8 mode if Python decodes file names in another encoding.

    A journal contains file names. With names that depend on the locale, a run in another locale would not recognise
    its own results. What is printed keeps the encoding of the locale.
    """
    if sys.getfilesystemencoding().replace("-", "").lower() == "utf8" or sys.platform == "win32":
        return
    encoding = getattr(sys.stdout or sys.stderr, "encoding", "ascii")
    os.environ.setdefault("PYTHONIOENCODING", f"{encoding}:backslashreplace")
    with suppress(OSError):  # better with unusual names than not at all
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
