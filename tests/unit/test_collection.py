"""Tests that use what a system lacks are left out there, and no other."""

import ast

import pytest

from tests.support.platforms import names
from tests.support.platforms.collection import missing_at_import, missing_in, missing_in_function


def lacks_as_windows(module, name=None):
    if name is None:
        return module in names.WINDOWS_MODULES
    return name in names.WINDOWS.get(module, "").split()


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import resource", {"resource"}),
        ("from fcntl import flock", {"fcntl"}),
        ("os.kill(pid, signal.SIGKILL)", {"signal.SIGKILL"}),
        ("os.fork() or os.mkfifo(path)", {"os.fork", "os.mkfifo"}),
        ("os.kill(os.getpid(), signal.SIGINT)", set()),
        ("os.no_such_function()", set()),
    ],
)
def test_use_of_what_windows_lacks_is_found(code, missing):
    assert missing_in(ast.parse(code), lacks_as_windows) == missing


def test_functions_do_not_count_while_a_file_is_imported():
    tree = ast.parse("import resource\nTERM = signal.SIGTERM\ndef test_it():\n    os.fork()\n")
    assert missing_at_import(tree, lacks_as_windows) == {"resource"}
    assert missing_in(tree, lacks_as_windows) == {"resource", "os.fork"}


@pytest.mark.skipif(not hasattr(__import__("os"), "memfd_create"), reason="Linux lacks nothing")
def test_nothing_is_left_out_on_linux():
    assert missing_in_function(test_nothing_is_left_out_on_linux) == set()
