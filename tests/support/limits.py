"""The command under limits of the system: of files, processes and memory, and with parts of the system missing."""

import atexit
import contextlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

PIDS_CGROUPS = Path("/sys/fs/cgroup/pids")

_numbers = itertools.count()


def run_limited(prelude, *arguments, cwd, env=None):
    """Run shell commands, then ``imgpool`` with the arguments, in a mount namespace of its own.

    Returns exit code, stdout and stderr. The test is skipped where namespaces or mounts are not permitted.
    """
    words = [sys.executable, "-m", "imgpool", *map(str, arguments)]
    script = f'{prelude} || exit 77\nexec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", *words]
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, timeout=100, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no command to make namespaces with")
    out, err = done.stdout.decode(), done.stderr.decode()
    if done.returncode == 77 or err.startswith("unshare:"):
        pytest.skip(f"not permitted here: {err.strip()}")
    return done.returncode, out, err


def pids_limit(count):
    """Return shell commands that limit the processes and threads of the shell and its children."""
    group = PIDS_CGROUPS / f"imgpool-tests-{os.getpid()}-{next(_numbers)}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("control groups cannot be made here")
    atexit.register(_remove, group)
    return f"echo {count} > {group}/pids.max && echo $$ > {group}/cgroup.procs"


def _remove(group):
    with contextlib.suppress(OSError):  # a process may still be ending
        group.rmdir()
