"""Estimation of a flat field from images with the same illumination, for ``imgpool estimate flat-field``."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from imgpool.batch.headers import HeaderReading
from imgpool.batch.preload import modules_of_formats
from imgpool.batch.sampling import spread_evenly
from imgpool.batch.scan import scan
from imgpool.calibration.illumination import Floats, enlarge, estimate_illumination, reduce_channels
from imgpool.calibration.reduction import no_state, reduce_image
from imgpool.calibration.series import ImageLayout, find_common_layout
from imgpool.core.catalogue import ENGINES
from imgpool.core.engine import EngineOptions
from imgpool.core.errors import ImageError, RunError, UsageError, WriteError
from imgpool.core.failures import explain
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Metadata, Properties
from imgpool.core.limits import MAX_PIXELS
from imgpool.core.refusal import refuse
from imgpool.core.task import Result, Task
from imgpool.output.session import storage_errors
from imgpool.system.isolated import IsolatedError, ReportProgress, call_isolated, quick_start_method
from imgpool.system.resources import available_cpus, available_memory
from imgpool.system.temporary import temporary_folder
from imgpool.work.files import format_of, read, write

MAX_IMAGES = 400
"""Default number of images to use; more do not improve the result visibly."""

IMAGE_TIMEOUT_S = 900.0
"""Time limit per image: far more than needed, so that an estimation always ends."""


@dataclass(frozen=True, slots=True)
class FlatFieldSettings:
    """The images to estimate from, and the options.

    Attributes
    ----------
    inputs
        Files and folders.
    output
        The file to write.
    dark
        Path of an image taken without light; None if the images contain no dark level.
    limit
        Largest number of images to use, spread evenly over all of them.
    workers
        Number of worker processes; None uses every available processor.
    force
        Whether to replace an existing output.
    max_pixels
        Refuse images with more pixels.
    engine
        Name of an engine.
    """

    inputs: tuple[str, ...]
    output: str
    dark: str | None = None
    limit: int = MAX_IMAGES
    workers: int | None = None
    force: bool = False
    max_pixels: int = MAX_PIXELS
    engine: str = "pool"


@dataclass(frozen=True, slots=True)
class FlatField:
    """A flat field that was estimated and written.

    Attributes
    ----------
    image
        The flat field: float32, with a mean of 1 in every channel and colour sample.
    used
        Number of images that it was estimated from.
    failed
        Failures of images, and of folders that could not be listed.
    seconds
        Duration of the estimation.
    """

    image: Image
    used: int
    failed: tuple[Result, ...]
    seconds: float


class Estimation:
    """An estimation that is validated and ready to run.

    Parameters
    ----------
    settings
        The images to estimate from, and the options.

    Attributes
    ----------
    settings : FlatFieldSettings
    found : int
        Number of images in the inputs.
    tasks : list of Task
        The images to use.
    layout : ImageLayout
        The size and channels that they have in common.

    Raises
    ------
    UsageError
        If there is no image, the images differ in size or channels, the dark frame does not match, or the output
        cannot be written.
    """

    def __init__(self, settings: FlatFieldSettings) -> None:
        self.settings = settings
        self._output = os.path.abspath(settings.output)
        _check_output(settings, self._output)
        found, report = scan(settings.inputs)
        other_files = self._other_files()
        images = [file for file in found if file.source not in other_files]
        if not images:
            raise UsageError(f"no image found in {', '.join(settings.inputs)}", "name the folder of the images")
        self.found = len(images)
        self.tasks = spread_evenly([Task(file.source, "", file.size, file.mtime_ns) for file in images], settings.limit)
        self._unreadable_folders = report.unreadable
        self._header, self.layout = find_common_layout(self.tasks, self._header_reading())
        _check_format(self._output, self.layout)
        self._dark = self._read_dark(settings.dark) if settings.dark is not None else None

    def run(self, on_result: Callable[[Result], object]) -> FlatField:
        """Read the images, estimate the flat field and write it.

        Parameters
        ----------
        on_result
            Called with the result of each image.

        Raises
        ------
        RunError
            If no image can be used, or the output cannot be written.
        """
        started = time.monotonic()
        with temporary_folder() as folder:
            reduced, failed = self._read_images(folder, on_result)
            images = self._subtract_dark(reduced)
        shape = self.layout.height, self.layout.width
        flat = self._assemble([enlarge(estimate_illumination(channel), shape) for channel in images])
        self._write(flat)
        return FlatField(flat, images.shape[1], tuple(failed), time.monotonic() - started)

    def _read_images(self, folder: str, on_result: Callable[[Result], object]) -> tuple[list[Floats], list[Result]]:
        """Return the reduced images in the order of the tasks, and the failures."""
        paths, failed = [], []
        for result in chain(self._folder_failures(), self._reduce(folder)):
            on_result(result)
            if result.failure:
                failed.append(result)
            else:
                paths.append(result.task.target)
        return [np.load(path) for path in sorted(paths)], failed

    def _folder_failures(self) -> list[Result]:
        """Return a failure for every folder that could not be listed, because it may contain images."""
        return [
            Result(Task(folder, "", 0, 0), "failed", explain(error, "read"))
            for folder, error in self._unreadable_folders
        ]

    def _reduce(self, folder: str) -> Generator[Result, None, None]:
        """Reduce every image in the workers, and save it in the folder."""
        tasks = [
            replace(task, target=os.path.join(folder, f"{number:09}.npy")) for number, task in enumerate(self.tasks)
        ]
        large_first = sorted(tasks, key=lambda task: -task.size)
        options = EngineOptions(
            workers=1 if self.settings.engine == "serial" else self.settings.workers or available_cpus(),
            timeout=IMAGE_TIMEOUT_S,
            memory=available_memory(),
            preload=self._preload(),
        )
        engine = ENGINES[self.settings.engine]
        reduce = partial(reduce_image, max_pixels=self.settings.max_pixels)
        with closing(engine.run(large_first, reduce, no_state, options)) as results:
            yield from results

    def _header_reading(self) -> HeaderReading:
        return HeaderReading(seconds=None, own_process=self.settings.engine == "serial", preload=self._preload())

    def _preload(self) -> tuple[str, ...]:
        return ("imgpool.work.preload_worker", "cv2", *modules_of_formats(self.tasks))

    def _read_dark(self, path: str) -> Floats:
        """Read the dark frame where the images are read; raise `UsageError` if it does not match them."""
        load = partial(_load_dark, path, self.layout, self.settings.max_pixels)
        if self.settings.engine == "serial":
            return load(_ignore_progress)
        options = EngineOptions(timeout=IMAGE_TIMEOUT_S)
        try:
            dark = call_isolated(load, options, start_method=quick_start_method(options.start_method))
        except IsolatedError as error:
            failure = error.failure
            if failure.error == "UsageError":
                raise UsageError(failure.message, failure.hint) from None
            raise UsageError(f"the dark frame {path} cannot be read: {failure.message}", failure.hint) from None
        assert dark is not None  # nothing stops the call
        return dark

    def _subtract_dark(self, reduced: list[Floats]) -> Floats:
        """Stack the reduced images (C, N, Y, X) and subtract the dark level; leave out images that are not brighter."""
        if not reduced:
            raise RunError("no image could be used", "see the failures above")
        stack = np.stack(reduced, axis=1)
        if self._dark is not None:
            stack -= self._dark[:, np.newaxis]
        bright = (np.median(stack, axis=(-2, -1)) > 0).all(axis=0)
        if not bright.any():
            hint = (
                "use a dark frame with the camera and exposure of the images"
                if self._dark is not None
                else "check the images"
            )
            raise RunError("no image has a background brighter than the dark level", hint)
        return stack[:, bright]

    def _assemble(self, channels: list[Floats]) -> Image:
        """Combine the channels and colour samples into one image."""
        if "S" in self.layout.axes:
            planes = [np.stack(channels[first : first + 3], -1) for first in range(0, len(channels), 3)]
        else:
            planes = channels
        pixels = np.stack(planes) if "C" in self.layout.axes else planes[0]
        metadata = Metadata(description="flat field estimated by imgpool, of mean 1")
        return Image(pixels, self.layout.axes, self._header.pixel_size, metadata)

    def _write(self, flat: Image) -> None:
        with storage_errors(self._output):
            try:
                write(flat, self._output)
            except WriteError as error:
                raise RunError(f"{self._output}: {error.message}", error.hint) from error

    def _other_files(self) -> set[str]:
        """Return the files that are not images of the series, although they may be in its folder."""
        return {self._output, *([os.path.abspath(self.settings.dark)] if self.settings.dark else [])}


def _ignore_progress(_: object) -> None:
    """Ignore progress: there is nobody to report it to."""


def _check_output(settings: FlatFieldSettings, output: str) -> None:
    format_of(output)
    folder = os.path.dirname(output)
    if not os.path.isdir(folder):
        raise UsageError(
            f"the folder {folder} does not exist", f"create it, or choose another folder with {Hint('output')}"
        )
    if os.path.isdir(output):
        raise UsageError(f"the output {settings.output} is a folder", f"name a file: {Hint('output', 'flat.tif')}")
    if os.path.lexists(output) and not settings.force:
        raise UsageError(
            f"{settings.output} exists",
            f"choose another file with {Hint('output')}, or replace it with {Hint('force', 'True')}",
        )


def _check_format(output: str, layout: ImageLayout) -> None:
    """Raise `UsageError` if the format of the output cannot hold a flat field of this layout."""
    format_, properties = format_of(output), Properties(layout.shape, np.dtype(np.float32), layout.axes)
    if not format_.can_hold(properties):
        error = refuse(format_, properties)
        raise UsageError(f"{output}: {error.message}", f"write a TIFF: {Hint('output', 'flat.tif')}")


def _load_dark(path: str, layout: ImageLayout, max_pixels: int, _report: ReportProgress) -> Floats:
    """Read the dark frame, and reduce it like the images; raises `UsageError` if it does not match them."""
    try:
        dark = read(path, max_pixels=max_pixels)
    except (ImageError, OSError) as error:
        failure = explain(error, "read")
        raise UsageError(f"the dark frame {path} cannot be read: {failure.message}", failure.hint) from error
    dark_layout = ImageLayout.of(dark.properties)
    if dark_layout not in {layout, replace(layout, channels=1, samples=1)}:
        raise UsageError(
            f"the dark frame {path} is {dark_layout}, but the images are {layout}",
            "take it with the same camera settings as the images",
        )
    if not np.isfinite(dark.pixels).all():
        raise UsageError(f"the dark frame {path} contains NaN or infinite values", "use another dark frame")
    return reduce_channels(dark)
