import subprocess
import sys

import pytest

from imgpool.system.native_exit import UNREQUESTED_EXIT_CODE, waiting_threads

if sys.platform != "linux":
    pytest.skip("needs the C library of Linux", allow_module_level=True)

PREPARED = """
import ctypes, socket
from mmap import mmap
from imgpool.system.native_exit import prepare_exit, request_exit
memory = mmap(-1, 4096)
receiver, sender = socket.socketpair()
if not prepare_exit(memory, 1024, receiver):
    raise SystemExit("no aio_read")
{end}
ctypes.PyDLL(None).sleep(60)  # with the GIL
"""


def exit_code(end):
    done = subprocess.run([sys.executable, "-c", PREPARED.format(end=end)], capture_output=True, text=True, check=False)
    if "no aio_read" in done.stderr:
        pytest.skip("the C library has no aio_read")
    return done.returncode


def test_process_exits_with_the_code_despite_the_gil():
    assert exit_code("request_exit(memory, 1024, sender, 143)") == 143


def test_end_of_the_stream_is_never_taken_for_success():
    assert exit_code("sender.close()") == UNREQUESTED_EXIT_CODE


def test_thread_that_waits_for_a_request_is_counted():
    """A process whose other threads hold no lock may be forked."""
    assert (
        exit_code("from imgpool.system.native_exit import waiting_threads; import os; os._exit(waiting_threads())") == 1
    )
    assert waiting_threads() == 0
