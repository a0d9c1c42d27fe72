"""``imgpool compare``: serial and pool on the same images."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer

from imgpool.cli._count import count
from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._interrupts import Interrupted, ignore_hang_up
from imgpool.cli._options import FilterSteps, Inputs, PixelLength, RecipeName, ToFormat
from imgpool.system.heap import keep_freed_memory
from imgpool.system.signals import exit_on_signals, restore_handlers, set_handlers


def compare(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    inputs: Inputs,
    recipe: RecipeName = None,
    filters: FilterSteps = None,
    to: ToFormat = None,
    pixel_size: PixelLength = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Images to compare on. Default: so many that they take about 10 s."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All images instead of a sample.")] = False,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Measure all of it so often; medians count.")] = 1,
    workers: Annotated[
        str, typer.Option("-j", "--workers", metavar="N|auto", help="The most processes to try. Default: the cores.")
    ] = "auto",
    chunksize: Annotated[
        str, typer.Option(metavar="N|auto", help="Images handed to a worker at once, while workers are counted.")
    ] = "auto",
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="For all workers together: 8GiB. Default: what is available.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Keep all results, in this new folder. Default: none kept."),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw speed-up and chunk sizes: curves.png, .svg or .pdf.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="A line for every run, and tracebacks.")] = False,
) -> None:
    """Run a sample of the images serially and in the pool: same bytes, how fast, what bounds it, what to choose.

    The sample goes evenly from the smallest file to the biggest. Every run writes into a folder of its own beside
    the first input, and they are removed at the end. Compared are one to many workers, chunk sizes, and the methods
    of a bare multiprocessing.Pool. Exit codes: 0 every image comes out the same everywhere (also one that fails
    alike everywhere: it is named), 1 some do not, 2 bad usage, 3 it could not go on, 130 or 143 interrupted.
    """
    with exit_codes(verbose=verbose):
        exit_on_signals()
        ignore_hang_up()
        keep_freed_memory()  # as workers do: serially and in the pool, images run alike
        from imgpool.api import choose_recipe, memory_size
        from imgpool.batch.plan import make_plan
        from imgpool.batch.settings import RunSettings
        from imgpool.compare.comparison import ComparisonRunner, new_folder_beside
        from imgpool.core.errors import UsageError
        from imgpool.report.compare import comparison_lines
        from imgpool.report.compare_json import comparison_json
        from imgpool.report.compare_progress import ComparisonDisplay
        from imgpool.report.plot import check_plot, draw
        from imgpool.report.stdout import print_lines

        if everything and sample:
            raise UsageError("--sample and --all were both given", "give one of them")
        if output and os.path.isdir(output) and os.listdir(output):
            raise UsageError(f"the output {output} is not empty", "choose a new folder with -o")
        if plot:
            check_plot(plot, inputs)
        plan = make_plan(
            RunSettings(
                inputs=tuple(inputs),
                recipe=choose_recipe(recipe, filters or (), to, pixel_size),
                output=output or new_folder_beside(inputs[0]),
                workers=count(workers, "--workers"),
                chunksize=count(chunksize, "--chunksize"),
                max_memory=memory_size(max_memory),
            )
        )
        with _folder(plan.output, keep=output is not None):
            images = len(plan.tasks) if everything else sample
            runner = ComparisonRunner(plan, plan.output, sample=images, rounds=rounds)
            comparison = ComparisonDisplay(plan, verbose=verbose).follow(runner.measure_all(free_space=output is None))
        if as_json:
            print_json(comparison_json(comparison))
        else:
            print_lines(comparison_lines(comparison, traceback=verbose))
        if plot:
            draw(comparison, plot)
        raise typer.Exit(1 if comparison.differences else 0)


@contextmanager
def _folder(path: str, *, keep: bool) -> Iterator[None]:
    """A folder in here; the first signal unwinds, and nothing disturbs its removal."""
    from imgpool.output.session import storage_errors

    before = set_handlers(_unwind)
    try:
        with storage_errors(path):
            os.makedirs(path, exist_ok=True)
        yield
    finally:
        set_handlers(_ignore)
        if not keep:
            shutil.rmtree(path, ignore_errors=True)
        restore_handlers(before)


def _unwind(number: int, _frame: FrameType | None) -> NoReturn:
    set_handlers(_ignore)
    raise Interrupted(number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """What is under way is soon over."""
