"""The settings of a run, as the command line and `imgpool.process` give them."""

from dataclasses import dataclass
from typing import get_args

from imgpool.core.engine import StartMethod
from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint
from imgpool.core.limits import MAX_PIXELS
from imgpool.core.ranges import check_integer, check_timeout, shown
from imgpool.core.recipe import Recipe
from imgpool.core.task import IfExists


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What to process and how.

    Attributes
    ----------
    inputs
        Files and folders.
    recipe
        The steps to apply to every image, and the output format.
    output
        Output folder; None for the default, beside the first input.
    engine
        Name of an engine.
    workers, chunksize
        Number of worker processes, and of images that a worker gets at a time; None for automatic.
    timeout
        Time limit for one image in seconds; 0 for no limit, None for 900 s plus 20 s per MB of its file.
    retries
        How often to retry an image whose worker died or exceeded the time limit.
    max_memory
        Memory limit for all workers together, in bytes; None for the memory that is available.
    max_pixels
        Refuse images with more pixels.
    fresh
        Process every image, even those that are done.
    start_method
        How worker processes are started.
    if_exists
        What to do with a target that exists and is not proved to be this image's own result: "fail" the image, "skip"
        it, or "replace" the file after moving it to ``.imgpool/replaced/`` in the output folder.
    follow_output_links
        Write also into sub-folders of the output folder that are links.
    """

    inputs: tuple[str, ...]
    recipe: Recipe
    output: str | None = None
    engine: str = "pool"
    workers: int | None = None
    chunksize: int | None = None
    timeout: float | None = None
    retries: int = 1
    max_memory: int | None = None
    max_pixels: int = MAX_PIXELS
    fresh: bool = False
    start_method: StartMethod = "forkserver"
    if_exists: IfExists = "fail"
    follow_output_links: bool = False


def check_settings(settings: RunSettings) -> None:
    """Raise `UsageError` if there is no input, or a number, a choice or the size of a step's file is not allowed."""
    if not settings.inputs:
        raise UsageError("no input given", "name a folder or an image")
    for name in ("workers", "chunksize", "retries", "max_memory", "max_pixels"):
        value = getattr(settings, name)
        if value is not None:
            check_integer(name, value)
    if settings.timeout is not None:
        check_timeout(settings.timeout)
    if settings.if_exists not in get_args(IfExists):
        raise UsageError(
            f"{Hint('if_exists')} must be fail, skip or replace, not {shown(settings.if_exists)}",
            f"for example {Hint('if_exists', 'skip')}",
        )
    for step in settings.recipe.steps:
        step.check_references(settings.max_pixels)
