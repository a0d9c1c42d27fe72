"""Size and channels that the images of a series have in common."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from imgpool.batch.headers import HeaderReading, read_headers
from imgpool.core.errors import UsageError
from imgpool.core.image import Properties
from imgpool.core.task import Task
from imgpool.work.files import format_of


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """Height and width in pixels, number of channels, and number of colour samples without alpha (1 or 3)."""

    height: int
    width: int
    channels: int
    samples: int

    @classmethod
    def of(cls, properties: Properties) -> "ImageLayout":
        """Return the layout of an image; time points, slices and alpha are ignored."""
        axes, shape = properties.axes, properties.shape
        height, width = (shape[axes.index(letter)] for letter in "YX")
        samples = {2: 1, 3: 3, 4: 3}[shape[-1]] if axes.endswith("S") else 1
        return cls(height, width, shape[axes.index("C")] if "C" in axes else 1, samples)

    @property
    def axes(self) -> str:
        """Axes of a correction image for such images."""
        return ("C" if self.channels > 1 else "") + "YX" + ("S" if self.samples > 1 else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a correction image for such images."""
        lengths = {"C": self.channels, "Y": self.height, "X": self.width, "S": self.samples}
        return tuple(lengths[letter] for letter in self.axes)

    def __str__(self) -> str:
        kind = "RGB" if self.samples > 1 else "grey"
        channels = f" with {self.channels} channels" if self.channels > 1 else ""
        return f"{self.width}×{self.height} px {kind}{channels}"


def find_common_layout(tasks: Sequence[Task], reading: HeaderReading) -> tuple[Properties, ImageLayout]:
    """Return the header of the first readable image, and the layout of all images.

    Raises
    ------
    UsageError
        If no image can be read, or one has a different layout than the others.
    """
    headers: dict[str, Properties] = {}
    read_headers(tasks, _read_properties, lambda task, header: headers.setdefault(task.source, header), reading)
    if not headers:
        raise UsageError(
            f"{tasks[0].source} cannot be read, and neither can any other image", "`imgpool process` shows the reason"
        )
    layouts = {path: ImageLayout.of(properties) for path, properties in headers.items()}
    (usual, count), *others = Counter(layouts.values()).most_common()
    if others:
        odd = next(path for path, layout in layouts.items() if layout != usual)
        raise UsageError(
            f"{odd} is {layouts[odd]}, but {count:,} other images are {usual}",
            "estimate from images of the same size and kind",
        )
    return next(iter(headers.values())), usual


def _read_properties(task: Task) -> Properties:
    return format_of(task.source).properties(task.source)
