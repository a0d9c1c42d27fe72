import os
import signal
import socket

import pytest

from imgpool.system.signals import ignore_ending_signals


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_does_not_report_its_signals_to_its_parent():
    read, write = socket.socketpair()
    with read, write:
        write.settimeout(0)
        before = signal.set_wakeup_fd(write.fileno())
        try:
            if (child := os.fork()) == 0:
                ignore_ending_signals()
                signal.signal(signal.SIGTERM, lambda *_: None)  # as a plug-in may do
                os.kill(os.getpid(), signal.SIGTERM)
                os._exit(0)
            os.waitpid(child, 0)
        finally:
            signal.set_wakeup_fd(before)
        read.settimeout(0)
        with pytest.raises(BlockingIOError):
            read.recv(1)
