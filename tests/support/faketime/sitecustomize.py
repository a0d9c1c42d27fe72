"""With this folder on PYTHONPATH, Python sleeps where libfaketime lets the monotonic clock alone.

Its ``clock_nanosleep`` fails then, by which Python sleeps.
"""

import select
import time

if __name__ == "sitecustomize":
    time.sleep = lambda seconds: select.select([], [], [], seconds) and None
