"""Start the process that workers are forked from before the command line is parsed, to save start-up time."""

from imgpool.system.gc_control import gc_paused, pause_gc
from imgpool.system.heap import keep_freed_memory
from imgpool.system.signals import ignore_hang_up
from imgpool.system.threads import set_one_thread_environment

PRELOAD_MODULES = (
    "multiprocessing.queues",
    "multiprocessing.pool",
    "imgpool.work.preload_worker",
    "cv2",
    "tifffile",
    *(f"imagecodecs.{codec}" for codec in ("_deflate", "_zlib", "_png")),
    "simplejpeg",
    "PIL.JpegImagePlugin",
)
"""Modules that workers need for most images, those needed most often first."""

NO_WORKER_ARGUMENTS = {"--serial", "--engine=serial", "serial", "-n", "--dry-run", "-h", "--help"}
"""Arguments of a command that starts no workers."""


def prepare_process_command(arguments: list[str]) -> None:
    """Start the prefork host, unless the arguments suggest that no workers are needed; a wrong guess costs only time.

    This process and the host ignore hang-ups, so that a run continues without its terminal. Libraries use a single
    thread: this process computes nothing itself, except with ``--serial``, and then it computes as workers do.

    Parameters
    ----------
    arguments
        The command line after ``imgpool process``.
    """
    ignore_hang_up()
    set_one_thread_environment()
    keep_freed_memory()
    if NO_WORKER_ARGUMENTS.isdisjoint(arguments):
        with gc_paused():
            import imgpool.work.preload_common  # noqa: F401 - imported before the fork, once for both processes
            from imgpool.engines.pool.parent.prefork import start_prefork_host

            start_prefork_host(PRELOAD_MODULES)
    pause_gc()
