"""Let imgpool see the standard library as it is on Windows or macOS, in this interpreter and those it starts.

A folder beside this module is put on ``PYTHONPATH``; its ``sitecustomize`` calls `imitate` before anything else runs.
What the other system lacks is then missing for the modules of imgpool. The standard library and other packages still
see Linux, because they are what they are on Linux, and have to work there.

Windows' rules for files hold for everybody: an open file cannot be removed or renamed, `os.rename` replaces nothing,
and a folder cannot be opened. A path of more than 259 characters is not found, unless it starts with two slashes, which
Linux takes for one, and which stand for what Windows calls an extended path.
"""

import builtins
import ctypes
import errno
import functools
import io
import os
import signal
import sys
import types

import names

PROC = ("/proc", "/sys/fs", "/dev/")
LINUX_FUNCTIONS = {"syncfs", "renameat2", "prctl", "mallopt"}
"""Functions of the C library that only Linux has."""

BREAK = signal.SIGUSR1
"""The signal that stands for Ctrl-Break, which Linux does not have."""


def _rename_as_macos(library, old_folder, old, new_folder, new, flags):
    """``renameatx_np``: Linux has other numbers for the current folder and for "replace nothing"."""
    folders = [-100 if folder == -2 else folder for folder in (old_folder, new_folder)]
    return library.renameat2(folders[0], old, folders[1], new, {4: 1, 2: 2}[flags])


MACOS_FUNCTIONS = {
    "renameatx_np": _rename_as_macos,
    "fsync_volume_np": lambda library, descriptor, flags: library.syncfs(descriptor) if flags == 3 else -1,
}
"""Functions of the C library that only macOS has."""

WINDOWS_SIGNALS = {signal.SIGINT, signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGSEGV, signal.SIGTERM, BREAK}
SHARING_VIOLATION = 32
EXTENDED = "//"
MAX_PATH, MAX_FOLDER_PATH = 259, 247
O_BINARY = 0x8000
PATH_FUNCTIONS = (
    "access", "link", "listdir", "lstat", "mkdir", "open", "remove", "rename", "replace", "rmdir", "scandir", "stat",
    "unlink", "utime",
)  # fmt: skip
"""Functions of `os` that take a path first."""

_LISTDIR, _LSTAT, _STAT = os.listdir, os.lstat, os.stat

_PASS_THROUGH = {"os", "io", "pathlib", "posixpath", "genericpath", "shutil", "tempfile", "contextlib", "functools"}


def imitate(platform):
    """Take away what a system lacks: "win32" or "darwin"."""
    tables = {"win32": names.WINDOWS, "darwin": names.MACOS}
    for module, words in tables[platform].items():
        _take_away(module, set(words.split()), _values(platform).get(module, {}))
    _take_away("sys", set(), {"platform": platform})
    _hide_linux()
    _replace_c_library(platform)
    if platform == "win32":
        _refuse_modules(names.WINDOWS_MODULES)
        _allow_only_spawn()
        _use_windows_files()
        _limit_paths()
        _restrict_signals()


def _values(platform):
    """What modules have instead; `os.supports_dir_fd` is empty on Windows."""
    if platform == "darwin":
        return {}
    nothing = frozenset()
    return {
        "signal": {"SIGBREAK": BREAK},
        "os": {"name": "nt", "O_BINARY": O_BINARY, "supports_dir_fd": nothing, "supports_fd": nothing},
    }


def _for_imgpool():
    """Whether imgpool called, possibly through functions of the standard library that only pass on the call."""
    return _is_imgpool(_caller(_PASS_THROUGH))


def _caller(passing=()):
    """Return the innermost frame that is neither of this module, whose functions wrap each other, nor of `passing`."""
    frame = sys._getframe(1)
    while frame and (frame.f_globals is globals() or frame.f_globals.get("__name__") in passing):
        frame = frame.f_back
    return frame


def _is_imgpool(frame):
    return frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == "imgpool"


def _take_away(name, missing, values):
    """Let a module lack some attributes, and have other values for some, if imgpool asks for them."""
    __import__(name)
    module = sys.modules[name]

    class Lacking(type(module)):
        def __getattribute__(self, attribute):
            if (attribute in missing or attribute in values) and _is_imgpool(sys._getframe(1)):
                if attribute in values:
                    return values[attribute]
                raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
            return types.ModuleType.__getattribute__(self, attribute)

    module.__class__ = Lacking


def _hide_linux():
    """Let imgpool find nothing in /proc, and no devices but the null device."""

    def refuse(path):
        words = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if isinstance(words, str) and words.startswith(PROC) and words != os.devnull and _for_imgpool():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), words)

    for module, function in ((os, "open"), (os, "stat"), (os, "listdir"), (os, "scandir"), (builtins, "open")):
        _check_first(module, function, refuse)
    io.open = builtins.open


def _check_first(module, name, check):
    """Call `check` with the arguments of a function before the function."""
    function = getattr(module, name)

    @functools.wraps(function)
    def checked(*arguments, **options):
        check(*arguments[:1])
        return function(*arguments, **options)

    setattr(module, name, checked)
    _keep_support(function, checked)


def _keep_support(function, replacement):
    """A replaced function accepts what the function accepts."""
    for supported in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if function in supported:
            supported.add(replacement)


def _replace_c_library(platform):
    """Windows finds no C library by the name None; that of macOS lacks Linux' functions."""

    class Library(ctypes.CDLL):
        def __init__(self, name, *arguments, **options):
            if name is None and platform == "win32" and _for_imgpool():
                raise TypeError("bad argument type for built-in operation")
            super().__init__(name, *arguments, **options)

        def __getattr__(self, name):
            if name in LINUX_FUNCTIONS and _is_imgpool(sys._getframe(1)):
                raise AttributeError(name)
            if platform == "darwin" and name in MACOS_FUNCTIONS:
                return functools.partial(MACOS_FUNCTIONS[name], self)
            return super().__getattr__(name)

    ctypes.CDLL = Library


def _refuse_modules(refused):
    """Let imgpool import none of some modules."""
    import_module = builtins.__import__

    def import_unless_refused(name, globals=None, *arguments, **options):  # noqa: A002 - as in the standard library
        if name in refused and (globals or {}).get("__name__", "").split(".")[0] == "imgpool":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return import_module(name, globals, *arguments, **options)

    builtins.__import__ = import_unless_refused


def _allow_only_spawn():
    import multiprocessing
    from multiprocessing import context

    for other in ("fork", "forkserver"):
        del context._concrete_contexts[other]
    context._default_context._default_context = context._concrete_contexts["spawn"]
    multiprocessing.get_all_start_methods = lambda: ["spawn"]


def _use_windows_files():
    """Let files behave as on Windows, where nobody has asked for more."""
    open_file, rename = os.open, os.rename

    @functools.wraps(open_file)
    def open_binary_file(path, flags, *arguments, **options):
        if _is_imgpool(_caller()):  # tempfile and io know that they have to ask for a binary file
            assert options.pop("dir_fd", None) is None, "Windows knows no descriptors of folders"
            if os.path.isdir(path):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            assert flags & O_BINARY, f"{path!r} is opened as a text file: line breaks would change"
        return open_file(path, flags & ~O_BINARY, *arguments, **options)

    @functools.wraps(rename)
    def rename_new(source, target, **options):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        return rename(source, target, **options)

    os.open, os.rename = open_binary_file, rename_new
    _keep_support(open_file, open_binary_file)
    _keep_support(rename, rename_new)
    for name in ("replace", "rename", "unlink", "remove"):
        _check_first(os, name, _refuse_open_file)
    _check_second(os, "replace", _refuse_open_file)
    import shutil

    shutil._use_fd_functions = False


def _check_second(module, name, check):
    function = getattr(module, name)

    @functools.wraps(function)
    def checked(source, target, **options):
        check(target)
        return function(source, target, **options)

    setattr(module, name, checked)
    _keep_support(function, checked)


def _refuse_open_file(path):
    """Raise `PermissionError` if any process has the file open, and imgpool wants to remove or rename it."""
    if not _for_imgpool():
        return
    try:
        status = _LSTAT(path)
    except OSError:
        return
    for process in filter(str.isdigit, _entries("/proc")):
        for descriptor in _entries(f"/proc/{process}/fd"):
            try:
                opened = _STAT(f"/proc/{process}/fd/{descriptor}")
            except OSError:
                continue
            if os.path.samestat(opened, status):
                error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
                error.winerror = SHARING_VIOLATION
                raise error


def _entries(folder):
    """The entries of a folder that only this module may see."""
    try:
        return _LISTDIR(folder)
    except OSError:
        return []


def _limit_paths():
    """Let imgpool find no file by a long path that it has not extended."""
    from imgpool.system import paths

    def extend(path):
        absolute = os.path.abspath(path)
        return "/" + absolute if len(absolute) > MAX_FOLDER_PATH and not path.startswith(EXTENDED) else path

    def refuse_long_path(path):
        words = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if not isinstance(words, str) or words.startswith(EXTENDED) or len(os.path.abspath(words)) <= MAX_PATH:
            return
        if _for_imgpool():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), words)

    paths.openable = extend
    paths.plain = lambda path: path[1:] if path.startswith(EXTENDED) else path
    for function in PATH_FUNCTIONS:
        _check_first(os, function, refuse_long_path)
    for function in ("replace", "rename", "link"):
        _check_second(os, function, refuse_long_path)
    _check_first(builtins, "open", refuse_long_path)
    _check_first(io, "open", refuse_long_path)


def _restrict_signals():
    set_handler = signal.signal

    def set_windows_handler(number, handler):
        if _for_imgpool() and number not in WINDOWS_SIGNALS:
            raise ValueError("invalid signal value")
        return set_handler(number, handler)

    signal.signal = set_windows_handler
