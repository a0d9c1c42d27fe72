"""A process that has imported what the command needs, and forks itself for each call.

A call of the command from a new interpreter takes 0.6 s of processor time, half of it for imports. `WarmCommand` pays
for them once per test session. Apart from that, each call is a process of its own: it has its own working folder,
environment, standard streams and signal handlers, and it ends as an interpreter does.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

MODULES = (
    "imgpool.api",
    "imgpool.cli.process",
    "imgpool.engines.pool",
    "imgpool.report.console",
    "imgpool.work.preload_worker",
    "cv2",
    "imagecodecs._png",
    "tifffile",
    "PIL.JpegImagePlugin",
)
"""Modules that most calls import. None of them may use the environment while it is imported."""

MAX_REQUEST_BYTES = 1 << 20


class WarmCommand:
    """Calls of the command, in processes forked from one that is ready.

    Parameters
    ----------
    python_path
        Folder in which Python looks for modules first, if one is given.
    """

    def __init__(self, python_path=None):
        self._socket, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            environment = os.environ | ({"PYTHONPATH": os.fspath(python_path)} if python_path else {})
            self._server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environment
            )

    def run(self, arguments, cwd, environment, timeout):
        """Call the command; return its exit code as a shell shows it, its output, and its errors."""
        request = json.dumps({"arguments": arguments, "cwd": os.fspath(cwd or "."), "environment": environment})
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, open(os.devnull, "rb") as stdin:
            streams = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
            socket.send_fds(self._socket, [request.encode()], streams)
            code = self._wait(self._read_number(), timeout)
            return code, _content(stdout), _content(stderr)

    def close(self):
        """End the process that forks."""
        self._socket.close()
        self._server.wait()

    def _wait(self, pid, timeout):
        self._socket.settimeout(timeout)
        try:
            return self._read_number()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._socket.settimeout(None)
            self._read_number()
            raise
        finally:
            self._socket.settimeout(None)

    def _read_number(self):
        """Read one line from the process that forks."""
        digits = b""
        while not digits.endswith(b"\n"):
            digits += self._socket.recv(1) or b"\n"
        return int(digits)


def _content(file):
    file.seek(0)
    return file.read()


def _serve(connection):
    """Fork for each request; return in the forked process, and exit in this one when there are no more requests."""
    while True:
        request, streams, *_ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 3)
        if not request:
            sys.exit()
        if (pid := os.fork()) == 0:
            connection.close()
            return json.loads(request), streams
        for descriptor in streams:
            os.close(descriptor)
        connection.send(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        connection.send(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(request, streams):
    """Give this process the streams, the folder, the environment and the arguments of a request."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["imgpool", *request["arguments"]]


if __name__ == "__main__":
    import importlib

    from imgpool.system.threads import set_one_thread_environment

    set_one_thread_environment()  # no library may start a thread before the forks
    for name in MODULES:
        importlib.import_module(name)
    _become(*_serve(socket.socket(fileno=int(sys.argv[1]))))
    from imgpool.cli import main

    main()
