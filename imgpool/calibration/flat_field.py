"""A flat frame estimated from images that share their light: what ``imgpool estimate flat-field`` does."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from imgpool.batch.preload import modules_of_formats
from imgpool.batch.sampling import spread_evenly
from imgpool.batch.scan import scan
from imgpool.calibration.illumination import Floats, enlarge, estimate_light, reduced_channels
from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import EngineOptions, MemoryNeeded
from imgpool.core.errors import ImageError, ReadError, RunError, UsageError, WriteError
from imgpool.core.failures import explain, lacks_memory
from imgpool.core.image import Image, Metadata, Properties
from imgpool.core.refusal import refuse
from imgpool.core.task import Result, Task
from imgpool.output.session import storage_errors
from imgpool.system.resources import available_cpus, available_memory
from imgpool.work.files import format_of, read, write

LIMIT = 400
"""Images that are taken, unless it is said otherwise: more change nothing that could be seen."""

TIMEOUT = 900.0
"""Seconds that one image may take: far more than it should, so that an estimate ends."""

FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class FlatFieldSettings:
    """What to estimate from, and how.

    Attributes
    ----------
    inputs
        Files and folders.
    output
        The file to write.
    dark
        An image taken without light; None where the images are free of the camera's dark level.
    limit
        Images to take, evenly out of all.
    workers
        None takes as many as there are processors.
    force
        Replace an output that is there already.
    engine
        The name of an engine.
    """

    inputs: tuple[str, ...]
    output: str
    dark: str | None = None
    limit: int = LIMIT
    workers: int | None = None
    force: bool = False
    engine: str = "pool"


@dataclass(frozen=True, slots=True)
class Layout:
    """What images that share their light have in common."""

    height: int
    width: int
    channels: int
    samples: int

    @classmethod
    def of(cls, properties: Properties) -> "Layout":
        """Of an image; its time points, slices and alpha do not matter."""
        axes, shape = properties.axes, properties.shape
        height, width = (shape[axes.index(letter)] for letter in "YX")
        samples = {2: 1, 3: 3, 4: 3}[shape[-1]] if axes.endswith("S") else 1
        return cls(height, width, shape[axes.index("C")] if "C" in axes else 1, samples)

    @property
    def axes(self) -> str:
        """Of a frame for such images."""
        return ("C" if self.channels > 1 else "") + "YX" + ("S" if self.samples > 1 else "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame for such images."""
        lengths = {"C": self.channels, "Y": self.height, "X": self.width, "S": self.samples}
        return tuple(lengths[letter] for letter in self.axes)

    def __str__(self) -> str:
        kind = "RGB" if self.samples > 1 else "grey"
        channels = f" with {self.channels} channels" if self.channels > 1 else ""
        return f"{self.width}×{self.height} px {kind}{channels}"


class Estimation:
    """An estimate, checked whole and ready to start.

    Parameters
    ----------
    settings
        What to estimate from, and how.

    Attributes
    ----------
    settings : FlatFieldSettings
    found : int
        Images in the inputs.
    tasks : list of Task
        Those that are taken.
    layout : Layout
        What they have in common.
    failed : list of Result
        Those that could not be used, and folders that could not be listed; known at the end, as is all that follows.
    used : int
        How many the estimate is made from.
    light : Image
        The field that was written; the mean of every channel and sample is 1.
    seconds : float
        How long it took.

    Raises
    ------
    UsageError
        If there is nothing to estimate from, the images differ in size or channels, or the output is not to be
        written.
    """

    def __init__(self, settings: FlatFieldSettings) -> None:
        self.settings = settings
        self._output = os.path.abspath(settings.output)
        _check_output(settings, self._output)
        found, report = scan(settings.inputs)
        images = [each for each in found if each.source not in self._reserved()]
        if not images:
            raise UsageError(f"no image found in {', '.join(settings.inputs)}", "name the folder of the images")
        self.found = len(images)
        self.tasks = spread_evenly([Task(each.source, "", each.size, each.mtime_ns) for each in images], settings.limit)
        self._first, self.layout = _common([task.source for task in self.tasks])
        _check_holds(self._output, self.layout)
        self._dark = self._read_dark()
        self._unreadable = report.unreadable
        self.failed: list[Result] = []
        self.used = 0
        self.light: Image
        self.seconds = 0.0

    def run(self, on_result: Callable[[Result], object]) -> None:
        """Take in the images, tell of each, estimate the light and write it.

        Raises
        ------
        RunError
            If no image can be used, or nothing can be written.
        """
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="imgpool-") as folder:
            paths = []
            for result in chain(self._closed_folders(), self._reduce(folder)):
                on_result(result)
                if result.failure:
                    self.failed.append(result)
                else:
                    paths.append(result.task.target)
            stack = self._usable([np.load(path) for path in sorted(paths)])
        channels = [enlarge(estimate_light(samples), (self.layout.height, self.layout.width)) for samples in stack]
        self.light = self._frame(channels)
        with storage_errors(self._output):
            try:
                write(self.light, self._output)
            except WriteError as error:
                raise RunError(f"{self._output}: {error.message}", error.hint) from error
        self.seconds = time.monotonic() - started

    def _closed_folders(self) -> list[Result]:
        """A failure for every folder that could not be listed: images may be in it."""
        return [Result(Task(folder, "", 0, 0), "failed", explain(error, "read")) for folder, error in self._unreadable]

    def _reduce(self, folder: str) -> Generator[Result, None, None]:
        """Have every image made small, in the workers; the small ones are in the tasks' targets."""
        tasks = [
            replace(task, target=os.path.join(folder, f"{number:09}.npy")) for number, task in enumerate(self.tasks)
        ]
        workers = 1 if self.settings.engine == "serial" else self.settings.workers or available_cpus()
        options = EngineOptions(
            workers=workers,
            timeout=TIMEOUT,
            memory=available_memory(),
            preload=("imgpool.work.preload_worker", "cv2", *modules_of_formats(self.tasks)),
        )
        engine = ENGINES[self.settings.engine]
        with closing(engine.run(sorted(tasks, key=lambda task: -task.size), _reduce, _no_state, options)) as results:
            yield from results

    def _usable(self, images: list[Floats]) -> Floats:
        """The small images without the dark level, (C, N, Y, X)."""
        if not images:
            raise RunError("no image could be used", "see the failures above")
        stack = np.stack(images, axis=1)
        if self._dark is not None:
            stack -= self._dark[:, np.newaxis]
        lit = (np.median(stack, axis=(-2, -1)) > 0).all(axis=0)
        if not lit.any():
            hint = "is the dark frame of the same camera and exposure?" if self._dark is not None else "see the images"
            raise RunError("no image has a background brighter than the dark level", hint)
        self.used = int(lit.sum())
        return stack[:, lit]

    def _frame(self, channels: list[Floats]) -> Image:
        properties = self._first
        names = Metadata(description="flat field estimated by imgpool, of mean 1")
        if "S" in self.layout.axes:
            planes = [np.stack(channels[c : c + 3], -1) for c in range(0, len(channels), 3)]
        else:
            planes = channels
        pixels = np.stack(planes) if "C" in self.layout.axes else planes[0]
        return Image(pixels, self.layout.axes, properties.pixel_size, names)

    def _read_dark(self) -> Floats | None:
        """The dark level of every channel and sample, small."""
        if self.settings.dark is None:
            return None
        try:
            dark = read(self.settings.dark)
        except (ImageError, OSError) as error:
            failure = explain(error, "read")
            raise UsageError(f"--dark {self.settings.dark}: {failure.message}", failure.hint) from error
        layout, expected = Layout.of(dark.properties), self.layout
        single = replace(expected, channels=1, samples=1)
        if layout not in {expected, single}:
            raise UsageError(
                f"the dark frame {self.settings.dark} is {layout}, the images are {expected}",
                "take it with the camera settings of the images",
            )
        if not np.isfinite(dark.pixels).all():
            raise UsageError(f"the dark frame {self.settings.dark} holds NaN or infinite values", "take another")
        return reduced_channels(dark)

    def _reserved(self) -> set[str]:
        """Files that are no images of the series, though they may lie among them."""
        return {self._output, *([os.path.abspath(self.settings.dark)] if self.settings.dark else [])}


def _check_output(settings: FlatFieldSettings, output: str) -> None:
    format_of(output)
    folder = os.path.dirname(output)
    if not os.path.isdir(folder):
        raise UsageError(f"the folder {folder} does not exist", "make it, or choose another with -o")
    if os.path.isdir(output):
        raise UsageError(f"the output {settings.output} is a folder", "name a file: -o flat.tif")
    if os.path.lexists(output) and not settings.force:
        raise UsageError(f"{settings.output} exists", "choose another name with -o, or replace it with --force")


def _check_holds(output: str, layout: Layout) -> None:
    format_, frame = format_of(output), Properties(layout.shape, FLOAT32, layout.axes)
    if not format_.can_hold(frame):
        error = refuse(format_, frame)
        raise UsageError(f"{output}: {error.message}", "-o flat.tif")


def _common(paths: list[str]) -> tuple[Properties, Layout]:
    """The header of the first image, and the layout of all; raises `UsageError` naming one that differs."""
    headers: dict[str, Properties] = {}
    for path in paths:
        try:
            headers[path] = format_of(path).properties(path)
        except (ReadError, OSError):  # reading it will say so, by name
            continue
    if not headers:
        raise UsageError(f"{paths[0]} cannot be read, nor can any other image", "`imgpool process` says what is wrong")
    layouts = {path: Layout.of(properties) for path, properties in headers.items()}
    (usual, count), *others = Counter(layouts.values()).most_common()
    if others:
        odd = next(path for path, layout in layouts.items() if layout != usual)
        raise UsageError(
            f"{odd} is {layouts[odd]}, {count:,} other images are {usual}: they do not share their light",
            "estimate from images of one size and kind",
        )
    return next(iter(headers.values())), usual


def _no_state() -> None:
    """Workers need nothing beforehand."""


def _reduce(_state: None, task: Task, memory: int | None) -> Result:
    """Make one image small, and save it as the task's target."""
    try:
        shape = _make_small(task)
    except Exception as error:  # noqa: BLE001 - one bad file never costs its neighbours
        if memory is not None and lacks_memory(error):
            raise MemoryNeeded from None
        return Result(task, "failed", explain(error, "read"), pid=os.getpid())
    return Result(task, "done", shape=shape, pid=os.getpid())


def _make_small(task: Task) -> tuple[int, ...]:
    image = read(task.source)
    if image.pixels.dtype.kind not in "uif":
        raise ReadError(f"it holds {image.pixels.dtype} pixels", "take it out of the input")
    channels = reduced_channels(image)
    if not np.isfinite(channels).all():
        raise ReadError("it holds NaN or infinite values", "take it out of the input")
    np.save(task.target, channels)
    return image.pixels.shape
