"""What an estimate came to, in lines for people and in one JSON object."""

import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgpool.calibration.flat_field import Estimation
from imgpool.core.task import Result
from imgpool.report.console import failure_lines
from imgpool.report.progress import choose_progress, stderr_console
from imgpool.report.text import StyledLine, duration, plural, printable

FEW = 20
"""Images below which cells and noise can be told in the light."""


class EstimationDisplay:
    """Shows on stderr how far an estimate has come, and what fails.

    Parameters
    ----------
    estimation
        What is to be followed.
    quiet
        Failures only.
    verbose
        Tracebacks too.
    """

    def __init__(self, estimation: Estimation, *, quiet: bool = False, verbose: bool = False) -> None:
        self._estimation = estimation
        self._console = stderr_console()
        self._verbose = verbose
        self._failed = 0
        self._progress = choose_progress(self._console, self._line, len(estimation.tasks), quiet=quiet)

    def run(self) -> None:
        """Estimate, and show it meanwhile."""
        self._progress.start()
        try:
            self._estimation.run(self._show)
        finally:
            self._progress.stop()

    def _show(self, result: Result) -> None:
        if result.failure:
            self._failed += 1
            for line in failure_lines(result, "", traceback=self._verbose):
                self._console.print(line)
        self._progress.advance()

    def _line(self, _left: int) -> str:
        return f"{self._failed:,} failed" if self._failed else "reading"


def estimate_lines(estimation: Estimation) -> Iterator[StyledLine]:
    """What was estimated from what, and what to do with it."""
    settings = estimation.settings
    of = f" of {estimation.found:,}" if estimation.used < estimation.found else ""
    failed = f" · {len(estimation.failed):,} failed" if estimation.failed else ""
    yield StyledLine(
        f"✓ flat field of {plural(estimation.used, 'image')}{of}, {estimation.layout}{failed} · "
        f"{duration(estimation.seconds)} → {printable(settings.output)}"
    )
    for number, (darkest, brightest) in enumerate(_ranges(estimation), start=1):
        channel = f"channel {number}: " if estimation.layout.channels > 1 else ""
        yield StyledLine(f"  {channel}{darkest:.2f} to {brightest:.2f} of the mean")
    if estimation.used < FEW:
        yield StyledLine(f"  from fewer than {FEW} images, what is in them can show in the light: look at it", "yellow")
    dark = f",dark={settings.dark},normalized=true" if settings.dark else ""
    step = shlex.quote(f"flat_field:flat={settings.output}{dark}")
    yield StyledLine(f"  use it: imgpool process {shlex.join(settings.inputs)} -f {step}")


def estimate_json(estimation: Estimation) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "found": estimation.found,
        "used": estimation.used,
        "failed": len(estimation.failed),
        "seconds": round(estimation.seconds, 3),
        "output": estimation.settings.output,
        "axes": estimation.layout.axes,
        "shape": list(estimation.layout.shape),
        "ranges": [[round(end, 4) for end in each] for each in _ranges(estimation)],
        "failures": [
            {
                "source": printable(result.task.source),
                "stage": result.failure.stage,
                "error": result.failure.error,
                "message": result.failure.message,
            }
            for result in estimation.failed
            if result.failure
        ],
    }


def _ranges(estimation: Estimation) -> list[tuple[float, float]]:
    """The darkest and the brightest place of every channel, as shares of its mean."""
    pixels = estimation.light.pixels
    channels = pixels if "C" in estimation.layout.axes else pixels[np.newaxis]
    return [(float(channel.min()), float(channel.max())) for channel in channels]
