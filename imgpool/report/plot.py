"""The curves of a comparison, drawn by matplotlib."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from imgpool.compare.comparison import Comparison
from imgpool.compare.measurer import EngineSetup
from imgpool.core.errors import RunError, UsageError
from imgpool.report.compare_words import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, IDEAL, AUTO = "#1f6f8b", "#9a9a9a", "#d1495b"
INCHES = (10.0, 4.2)
DPI = 150


def check_plot(path: str, inputs: Iterable[str]) -> None:
    """Raise `UsageError` if a picture cannot be drawn there, or would land in an input."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise UsageError("--plot needs matplotlib", "pip install 'imgpool[plot]'") from None
    kind = os.path.splitext(path)[1].removeprefix(".").lower()
    if kind not in FigureCanvasAgg.get_supported_filetypes():
        raise UsageError(f"--plot {path}: matplotlib writes no such file", "name it .png, .svg or .pdf")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder) or os.path.isdir(path):
        raise UsageError(f"--plot {path}: there is no such folder, or it is one", "choose another file")
    for input_ in map(os.path.realpath, inputs):
        if os.path.commonpath([input_, os.path.realpath(path)]) == input_:
            raise UsageError(f"--plot {path} lies inside the input {input_}", "choose another file")


def draw(comparison: Comparison, path: str) -> None:
    """Draw speed-up over workers, and images a second over chunk sizes; the extension says which kind of file.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
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
    counts = [each.setup.workers for each in pools]
    speed_ups = [serial.seconds / each.seconds for each in pools]
    most = max(counts)
    cores = min(comparison.cores, most)
    axes.plot([0, cores, most], [0, cores, cores], "--", color=IDEAL, label="ideal")
    axes.plot(counts, speed_ups, "o-", color=INK, label="pool")
    for count, speed_up in zip(counts, speed_ups, strict=True):
        axes.annotate(f"{speed_up:.2f}", (count, speed_up), (6, -12), textcoords="offset points", color=INK)
    axes.axhline(1, color=IDEAL, linewidth=0.8)
    axes.annotate("serial", (0, 1), (4, 3), textcoords="offset points", color=IDEAL)
    axes.set(xlabel="workers", ylabel="times as fast as serially", title="Speed-up", xticks=counts)
    axes.set(xlim=(0, most * 1.1), ylim=(0, max(cores, *speed_ups) * 1.15))
    axes.legend(loc="upper left", frameon=False)


def _draw_chunks(axes: "Axes", comparison: Comparison) -> None:
    fixed = [each for each in comparison.by_chunksize if each.setup.chunksize]
    (auto,) = [each for each in comparison.by_chunksize if each.setup.chunksize is None]
    lengths = [each.setup.chunksize or 0 for each in fixed]
    axes.axhline(auto.rate, linestyle="--", color=AUTO, label="auto")
    axes.plot(lengths, [each.rate for each in fixed], "o-", color=INK, label="fixed")
    axes.set_xscale("log", base=4)
    axes.set(xlabel="images in a chunk", ylabel="images a second", xticks=lengths, xticklabels=map(str, lengths))
    axes.minorticks_off()
    axes.set(title=f"Chunk size, {label(EngineSetup('pool', auto.setup.workers))}")
    axes.set_ylim(0, max(each.rate for each in (*fixed, auto)) * 1.15)
    axes.legend(loc="best", frameon=False)
