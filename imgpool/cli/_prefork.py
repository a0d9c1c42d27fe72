"""What is begun before the command line is understood: workers get ready while this process reads and plans."""

import gc

from imgpool.cli._interrupts import ignore_hang_up
from imgpool.system.gc_control import pause_gc
from imgpool.system.heap import keep_freed_memory
from imgpool.system.threads import set_one_thread_environment

WARM = (
    "multiprocessing.queues",
    "multiprocessing.pool",
    "imgpool.work.preload_worker",
    "cv2",
    "tifffile",
    *(f"imagecodecs.{codec}" for codec in ("_deflate", "_zlib", "_png")),
    "simplejpeg",
    "PIL.JpegImagePlugin",
)
"""What workers need for most images; for the fewest last."""

WITHOUT_WORKERS = {"--serial", "--engine=serial", "serial", "-n", "--dry-run", "-h", "--help"}


def begin_to_process(words: list[str]) -> None:
    """Start the process that workers come from, if it looks as if they were needed; being wrong costs only time.

    Like they, it goes on without a terminal. This process computes nothing, but for ``--serial``, and then as they
    do: threads of its libraries would only be in the way.

    Parameters
    ----------
    words
        The command line, less the name of the program and of the command.
    """
    ignore_hang_up()
    set_one_thread_environment()
    keep_freed_memory()
    gc.disable()
    if WITHOUT_WORKERS.isdisjoint(words):
        import imgpool.work.preload_common  # noqa: F401 - before the fork: once for both
        from imgpool.engines.pool.parent.prefork import start_prefork_host

        start_prefork_host(WARM)
    gc.enable()
    pause_gc()
