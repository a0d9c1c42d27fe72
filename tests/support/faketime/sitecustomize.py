"""With this folder on PYTHONPATH, `time.sleep` works under libfaketime.

It usually calls ``clock_nanosleep``, and the one of libfaketime fails when it leaves the monotonic clock unchanged.
"""

import select
import time

if __name__ == "sitecustomize":
    time.sleep = lambda seconds: select.select([], [], [], seconds) and None
