"""What a comparison calls things, and what it says of them."""

from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.measurer import EngineSetup
from imgpool.report.text import plural

STAGES = {
    "start": "workers start and load the recipe",
    "other": "between filters",
    "dispatch": "images and results are handed over",
    "idle": "workers have nothing to do",
    "end": "all is made durable and workers leave",
}
"""What stages mean whose names do not tell."""

LESSONS = {
    "map": "No answer before the last image is done; then all of them, in order. It makes its own chunks.",
    "imap": "Answers in order: one slow image holds back all those behind it that are done already.",
    "imap_unordered": "Answers as soon as they are there, in any order.",
    "imap_unordered in chunks": "Fewer hand-overs; but answers come by whole chunks, and an exception loses its chunk.",
    "apply_async": "One call and one object for each image, all at once; here they are asked in order, as with imap.",
    "imgpool": "imap_unordered, supervised: it takes images as it needs them, chooses the chunks, answers by image "
    "all the same, and outlives a worker's death. Its time includes the journal, and making all durable.",
}
BARE = "The bare methods take all tasks at once, keep no journal, and wait for ever when a worker dies."

DISTURBED = "other programs used the processors meanwhile: measure again on a quiet machine, or with --rounds 3"

BOTTLENECKS = {
    "start": "starting",
    "memory": "memory",
    "tail": "the last image",
    "disk": "the disk",
    "dispatch": "handing over",
    "cpu": "the processor",
}


def label(setup: EngineSetup | PoolMethod) -> str:
    """A way to run images, in words."""
    if isinstance(setup, PoolMethod):
        return f"Pool.{setup.name}" + (f", chunksize {setup.chunksize}" if setup.chunksize else "")
    if setup.engine == "serial":
        return "serial"
    return plural(setup.workers, "worker") + (f", chunks of {setup.chunksize}" if setup.chunksize else "")


def options(setup: EngineSetup) -> str:
    """What to give to ``imgpool process``."""
    return "--serial" if setup.engine == "serial" else f"-j {setup.workers} --chunksize {setup.chunksize or 'auto'}"
