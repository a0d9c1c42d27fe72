"""What is measured: which images, what is done to them, and how fast it is meant to be.

The numbers of a `Workload`'s ``slow`` say that a peer takes only every so-many-th image: it would take minutes
otherwise. Its seconds are then extrapolated, and the table says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """How many times as fast as something imgpool's pool is meant to be.

    Attributes
    ----------
    against
        Names of methods; the fastest of those that ran counts.
    ratio
        At least this.
    """

    against: tuple[str, ...]
    ratio: float


@dataclass(frozen=True)
class Workload:
    """A corpus and what is done to it.

    Attributes
    ----------
    name, title
        For the command line, and for the table; "{count}" in the title stands for the number of images.
    corpus, count, quick
        The name of the corpus, and how many images of it are taken: usually, and with ``--quick``.
    suffix
        Of the results.
    arguments
        For ``imgpool process``, beside input and output.
    bound, textbook, command_line, serial
        The targets.
    slow
        Every so-many-th image only, by the name of the peer or the first word of it.
    work
        The name under which peers know what is to be done; the workload's own if empty.
    """

    name: str
    title: str
    corpus: str
    count: int
    quick: int
    suffix: str
    arguments: tuple[str, ...]
    bound: Target | None = None
    textbook: Target | None = None
    command_line: Target | None = None
    serial: Target | None = None
    slow: Mapping[str, int] = field(default_factory=dict)
    work: str = ""

    @property
    def job(self) -> str:
        """The name under which peers know what is to be done."""
        return self.work or self.name


BOUND = ("bound",)
TEXTBOOK = ("textbook map", "textbook imap_unordered")
IMAP = ("textbook imap_unordered",)
SERIAL = Target(("imgpool serial",), 1.9)  # on two processors

WORKLOADS = (
    Workload(
        "photos", "{count} JPEGs of 12 MP → 1024 px, unsharp, JPEG quality 90", "photos", 40, 12, ".jpg",
        ("-f", "resize:longest=1024", "-f", "unsharp_mask", "--to", "jpeg:quality=90"),
        Target(BOUND, 0.90), Target(TEXTBOOK, 1.4), Target(("vipsthumbnail",), 1.3), SERIAL,
    ),
    Workload(
        "gaussian", "{count} uint16 TIFFs of 2048² → gaussian σ 2 → deflate", "cells", 60, 12, ".tif",
        ("-f", "gaussian:sigma=2"),
        Target(BOUND, 0.90), Target(TEXTBOOK, 3.5), Target(("vips",), 7), SERIAL,
        {"textbook": 3, "ImageMagick": 6, "GraphicsMagick": 6, "vips": 3},
    ),
    Workload(
        "stretch", "the same → percentile stretch → 8-bit PNG", "cells", 60, 12, ".png",
        ("-f", "to_uint8:in_range=0.35%..99.65%", "--to", "png"),
        Target(BOUND, 0.90), Target(TEXTBOOK, 6), Target(("GraphicsMagick",), 10), SERIAL,
        {"textbook": 3, "ImageMagick": 6, "GraphicsMagick": 6},
    ),
    Workload(
        "median", "the same → median 5 × 5 → deflate", "cells", 60, 12, ".tif",
        ("-f", "median:size=5"),
        Target(BOUND, 0.90), Target(TEXTBOOK, 20), Target(("ImageJ",), 5), SERIAL,
        {"textbook": 6, "ImageMagick": 15, "GraphicsMagick": 15, "vips": 6, "ImageJ": 3},
    ),
    Workload(
        "tiny", "{count:,} PNGs of 64² → gaussian σ 1", "tiny", 10_000, 2_000, ".png",
        ("-f", "gaussian:sigma=1"),
        Target(BOUND, 0.80), Target(IMAP, 3), Target(("GraphicsMagick",), 2),
        slow={"ImageMagick": 5},
    ),
    Workload(
        "mixed", "{count} TIFFs, 3 of 12288² and the rest of 2048² → gaussian σ 2 → deflate", "mixed", 123, 60, ".tif",
        ("-f", "gaussian:sigma=2"),
        work="gaussian",
    ),
)  # fmt: skip

MAKESPAN = 1.08
"""The mixed workload's pool run may take this many times the lower bound."""

MEMORY = 1.3
"""At its peak a worker may take this many times the memory of the bare process."""
