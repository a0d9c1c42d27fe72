"""Put finished results at their targets, and never replace a file that imgpool cannot prove to be its own."""

from dataclasses import dataclass

from imgpool.core.task import IfExists
from imgpool.system.rename import Placing


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a run puts its results, and how.

    Attributes
    ----------
    output
        Absolute path of the output folder. Every target lies in it.
    state
        Absolute path of the folder in it that holds imgpool's own files.
    run
        Token of the run.
    placing
        How files are renamed in the output folder.
    if_exists
        What to do with a target that exists and is not proved to be this source's own result: the image fails, is
        skipped, or the file is first moved to ``replaced/RUN`` in the state folder.
    follow_links
        Whether sub-folders of the output folder may be links.
    """

    output: str
    state: str
    run: str
    placing: Placing
    if_exists: IfExists = "fail"
    follow_links: bool = False
