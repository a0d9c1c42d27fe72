"""Words and explanations in the report of a comparison."""

from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.bottleneck import BottleneckKind
from imgpool.compare.measurement import EngineSetup
from imgpool.report.text import plural

STAGE_NOTES = {
    "start": "starting workers and loading the recipe",
    "other": "between filters",
    "dispatch": "sending images and results between processes",
    "idle": "waiting for work",
    "end": "making results durable and stopping workers",
}
"""Explanations of the stages whose names are not obvious."""

METHOD_NOTES = {
    "map": "Returns nothing until the last image is finished, then all results in order. Chooses its own chunks.",
    "imap": "Returns results in order, so one slow image delays all finished ones behind it.",
    "imap_unordered": "Returns each result as soon as it is finished, in any order.",
    "imap_unordered in chunks": "Sends fewer messages, but returns results by whole chunks; an exception loses its "
    "chunk.",
    "apply_async": "Makes one call and one object per image, all at once; here the results are fetched in order.",
    "imgpool": "Like imap_unordered, with supervision: reads tasks as needed, chooses the chunks, returns each result "
    "as soon as it is finished, and survives the death of a worker. Its time includes the journal and making "
    "results durable.",
}

BARE_POOL_NOTE = "A bare pool queues all tasks at once, keeps no journal, and waits forever if a worker dies."

DISTURBED_NOTE = "other programs used the processors: measure again on an idle machine, or with --rounds 3"

BOTTLENECK_WORDS: dict[BottleneckKind, str] = {
    "start": "start-up",
    "memory": "memory",
    "tail": "the last image",
    "disk": "the disk",
    "dispatch": "dispatch",
    "cpu": "the processor",
}


def label(setup: EngineSetup | PoolMethod) -> str:
    """Describe a setup or a method in a few words."""
    if isinstance(setup, PoolMethod):
        return f"Pool.{setup.name}" + (f", chunksize {setup.chunksize}" if setup.chunksize else "")
    if setup.engine == "serial":
        return "serial"
    return plural(setup.workers, "worker") + (f", chunks of {setup.chunksize}" if setup.chunksize else "")


def command_options(setup: EngineSetup) -> str:
    """Return the options of ``imgpool process`` for a setup."""
    return "--serial" if setup.engine == "serial" else f"-j {setup.workers} --chunksize {setup.chunksize or 'auto'}"
