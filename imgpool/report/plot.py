"""Plots of a comparison, drawn by matplotlib."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from imgpool.compare.measurement import EngineSetup
from imgpool.compare.results import Comparison
from imgpool.core.errors import RunError, UsageError
from imgpool.report.compare_words import label
from imgpool.system.paths import lies_inside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOL_COLOUR, IDEAL_COLOUR, AUTO_COLOUR = "#1f6f8b", "#9a9a9a", "#d1495b"
FIGURE_SIZE_INCHES = (10.0, 4.2)
DPI = 150


def check_plot(path: str, inputs: Iterable[str]) -> None:
    """Raise `UsageError` if a plot cannot be written to `path`, or would be written into an input."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise UsageError("--plot needs matplotlib", "pip install 'imgpool[plot]'") from None
    extension = os.path.splitext(path)[1].removeprefix(".").lower()
    if extension not in FigureCanvasAgg.get_supported_filetypes():
        raise UsageError(f"--plot {path}: matplotlib cannot write this format", "use .png, .svg or .pdf")
    real_path = os.path.realpath(path)
    if os.path.isdir(path):
        raise UsageError(f"--plot {path} is a folder", "choose another file")
    if not os.path.isdir(os.path.dirname(real_path)):
        raise UsageError(f"--plot {path}: the folder does not exist", "create it, or choose another file")
    for input_ in inputs:
        if lies_inside(path, input_):
            raise UsageError(f"--plot {path} is inside the input {input_}", "choose another file")


def draw(comparison: Comparison, path: str) -> None:
    """Plot the speed-up by number of workers, and images per second by chunk size.

    Parameters
    ----------
    comparison
        The comparison.
    path
        The file to write; its extension determines the format.

    Raises
    ------
    RunError
        If the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_SIZE_INCHES, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_workers(left, comparison)
    _draw_chunks(right, comparison)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6")
        axes.set_axisbelow(True)
    name = comparison.plan.settings.recipe.name
    figure.suptitle(f"{name}: {len(comparison.tasks):,} images on {comparison.cores} cores", parse_math=False)
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise RunError(f"--plot {path}: {error.strerror or error}", "choose another file") from error


def _draw_workers(axes: "Axes", comparison: Comparison) -> None:
    serial, *pools = comparison.by_workers
    counts = [run.setup.workers for run in pools]
    speed_ups = [serial.seconds / run.seconds for run in pools]
    most = max(counts)
    cores = min(comparison.cores, most)
    axes.plot([0, cores, most], [0, cores, cores], "--", color=IDEAL_COLOUR, label="ideal")
    axes.plot(counts, speed_ups, "o-", color=POOL_COLOUR, label="pool")
    for count, speed_up in zip(counts, speed_ups, strict=True):
        axes.annotate(f"{speed_up:.2f}", (count, speed_up), (6, -12), textcoords="offset points", color=POOL_COLOUR)
    axes.axhline(1, color=IDEAL_COLOUR, linewidth=0.8)
    axes.annotate("serial", (0, 1), (4, 3), textcoords="offset points", color=IDEAL_COLOUR)
    axes.set(xlabel="workers", ylabel="speed relative to a serial run", title="Speed-up", xticks=counts)
    axes.set(xlim=(0, most * 1.1), ylim=(0, max(cores, *speed_ups) * 1.15))
    axes.legend(loc="upper left", frameon=False)


def _draw_chunks(axes: "Axes", comparison: Comparison) -> None:
    fixed = [run for run in comparison.by_chunksize if run.setup.chunksize]
    (auto,) = [run for run in comparison.by_chunksize if run.setup.chunksize is None]
    lengths = [run.setup.chunksize or 0 for run in fixed]
    axes.axhline(auto.images_per_second, linestyle="--", color=AUTO_COLOUR, label="auto")
    axes.plot(lengths, [run.images_per_second for run in fixed], "o-", color=POOL_COLOUR, label="fixed")
    axes.set_xscale("log", base=4)
    axes.set(xlabel="images per chunk", ylabel="images per second", xticks=lengths, xticklabels=map(str, lengths))
    axes.minorticks_off()
    axes.set(title=f"Chunk size, {label(EngineSetup('pool', auto.setup.workers))}")
    axes.set_ylim(0, max(run.images_per_second for run in (*fixed, auto)) * 1.15)
    axes.legend(loc="best", frameon=False)
