"""The estimation of a correction image: its progress, and the result as lines of text and as one JSON object."""

import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgpool.calibration.flat_field import Estimation, FlatField
from imgpool.core.task import Result
from imgpool.report.console import failure_lines
from imgpool.report.hints import with_options
from imgpool.report.progress import choose_progress
from imgpool.report.stderr import stderr_console
from imgpool.report.text import StyledLine, duration, plural, printable

MIN_RECOMMENDED_IMAGES = 20
"""With fewer images, cells and noise may show in the flat field."""


class EstimationDisplay:
    """Shows the progress of an estimation on stderr, and the images that fail.

    Parameters
    ----------
    estimation
        The estimation to run.
    quiet
        Show failures only.
    verbose
        Show tracebacks too.
    """

    def __init__(self, estimation: Estimation, *, quiet: bool = False, verbose: bool = False) -> None:
        self._estimation = estimation
        self._console = stderr_console()
        self._verbose = verbose
        self._failed = 0
        self._progress = choose_progress(self._console, self._progress_text, len(estimation.tasks), quiet=quiet)

    def run(self) -> FlatField:
        """Run the estimation, show its progress, and return its result."""
        self._progress.start()
        try:
            return self._estimation.run(self._show)
        finally:
            self._progress.stop()

    def _show(self, result: Result) -> None:
        if result.failure:
            self._failed += 1
            for line in failure_lines(result, "", traceback=self._verbose):
                self._console.print(line)
        self._progress.advance()

    def _progress_text(self, _left: int) -> str:
        return f"{self._failed:,} failed" if self._failed else "reading"


def estimate_lines(estimation: Estimation, flat: FlatField) -> Iterator[StyledLine]:
    """Return what was estimated from which images, and how to use it."""
    settings = estimation.settings
    used = _used_images(estimation, flat)
    failed = f" · {len(flat.failed):,} failed" if flat.failed else ""
    yield StyledLine(
        f"✓ flat field from {used}, {estimation.layout}{failed} · "
        f"{duration(flat.seconds)} → {printable(settings.output)}"
    )
    for number, (darkest, brightest) in enumerate(_ranges(flat), start=1):
        channel = f"channel {number}: " if estimation.layout.channels > 1 else ""
        yield StyledLine(f"  {channel}illumination from {darkest:.2f} to {brightest:.2f} times its mean")
    if flat.used < MIN_RECOMMENDED_IMAGES:
        yield StyledLine(
            f"  fewer than {MIN_RECOMMENDED_IMAGES} images: inspect the flat field, cells may show in it",
            "yellow",
        )
    dark = f",dark={settings.dark},normalized=true" if settings.dark else ""
    step = shlex.quote(f"flat_field:flat={settings.output}{dark}")
    yield StyledLine(f"  to apply it: imgpool process {shlex.join(settings.inputs)} -f {step}")


def estimate_json(estimation: Estimation, flat: FlatField) -> dict[str, Any]:
    """Return the result as plain JSON values."""
    return {
        "found": estimation.found,
        "used": flat.used,
        "failed": len(flat.failed),
        "seconds": round(flat.seconds, 3),
        "output": estimation.settings.output,
        "axes": estimation.layout.axes,
        "shape": list(estimation.layout.shape),
        "ranges": [[round(end, 4) for end in each] for each in _ranges(flat)],
        "failures": [
            {
                "source": printable(result.task.source),
                "stage": result.failure.stage,
                "error": result.failure.error,
                "message": with_options(result.failure.message),
                "hint": with_options(result.failure.hint),
            }
            for result in flat.failed
            if result.failure
        ],
    }


def _used_images(estimation: Estimation, flat: FlatField) -> str:
    """Return how many images were used: "30 images", or "28 of 30 images"."""
    images = plural(estimation.found, "image")
    return images if flat.used == estimation.found else f"{flat.used:,} of {images}"


def _ranges(flat: FlatField) -> list[tuple[float, float]]:
    """Return the minimum and maximum of each channel, relative to its mean."""
    pixels = flat.image.pixels
    channels = pixels if "C" in flat.image.axes else pixels[np.newaxis]
    return [(float(channel.min()), float(channel.max())) for channel in channels]
