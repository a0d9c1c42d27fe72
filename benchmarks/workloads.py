"""The measured workloads: images, processing and speed targets.

A method in a workload's ``slow`` processes only every n-th image, because all images would take it minutes. Its seconds
are extrapolated, and the table says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A speed target for imgpool's pool.

    Attributes
    ----------
    against
        Names of methods, of which the fastest measured one counts.
    ratio
        Lowest ratio of that method's seconds to the pool's.
    """

    against: tuple[str, ...]
    ratio: float


@dataclass(frozen=True)
class Workload:
    """A corpus, and the processing of its images.

    Attributes
    ----------
    name, title
        Name on the command line, and title in the table; "{count}" in the title is the number of images.
    corpus, count, quick
        Name of the corpus, and number of images normally and with ``--quick``.
    suffix
        Extension of the results.
    arguments
        Arguments of ``imgpool process`` besides input and output.
    bound, textbook, command_line, serial
        Speed targets.
    slow
        For slow peers, by their name or its first word: process only every n-th image.
    work
        Name of the processing in `benchmarks.peers`; by default the name of the workload.
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
        """Name of the processing in `benchmarks.peers`."""
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

MAX_MAKESPAN_RATIO = 1.08
"""Target for the mixed workload: duration of the pool run relative to its lower bound."""

MAX_MEMORY_RATIO = 1.3
"""Target for the peak memory of a worker, relative to a bare process."""
