"""``imgpool compare``: compare serial and pool processing on the same images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer

from imgpool.cli._exit import exit_codes, print_json
from imgpool.cli._interrupts import Interrupted
from imgpool.cli._numbers import parse_count, parse_seconds, parse_whole
from imgpool.cli._options import AsJson, FilterSteps, Inputs, MaxMemory, PixelLength, RecipeName, ToFormat
from imgpool.system.files import remove_folder
from imgpool.system.heap import keep_freed_memory
from imgpool.system.signal_watchdog import START_LIMIT_S, signal_watchdog
from imgpool.system.signals import exit_on_signals, ignore_hang_up, restore_handlers, set_handlers

IMAGE_TIMEOUT_S = 30.0
"""Time after a signal in which the current image holds the GIL, before the command ends without removing its folder."""


def compare_command(  # noqa: PLR0913 - one parameter per option of the command line
    *,
    inputs: Inputs,
    recipe: RecipeName = None,
    filters: FilterSteps = None,
    to: ToFormat = None,
    pixel_size: PixelLength = None,
    sample: Annotated[
        str | None,
        typer.Option(metavar="N", help="Number of images to compare on. Default: as many as take about 10 s serially."),
    ] = None,
    all_images: Annotated[bool, typer.Option("--all", help="Compare on all images.")] = False,
    rounds: Annotated[str, typer.Option(metavar="N", help="Repeat N times and report the median.")] = "1",
    workers: Annotated[
        str,
        typer.Option(
            "-j", "--workers", metavar="N|auto", help="Largest number of worker processes; auto for one per core."
        ),
    ] = "auto",
    chunksize: Annotated[
        str,
        typer.Option(
            metavar="N|auto", help="Number of images that a worker gets at a time while the number of workers varies."
        ),
    ] = "auto",
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="Time limit for one image in the pool; 0 for no limit. Default: 900 s plus 20 s per MB of its file.",
        ),
    ] = None,
    max_memory: MaxMemory = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Keep all results in this new folder. Default: keep none."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw speed-up and chunk sizes, for example into curves.png, .svg or .pdf."),
    ] = None,
    as_json: AsJson = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print a line for every run, and tracebacks.")
    ] = False,
) -> None:
    """Compare serial and pool processing on a sample: results, speed, bottleneck and best settings.

    The sample is spread evenly over the file sizes. It is processed serially, with one to many workers, with several
    chunk sizes, and with the methods of a bare multiprocessing.Pool. Every run writes to a temporary folder beside
    the first input.

    Exit codes: 0 every image gives the same result, or the same failure, everywhere; 1 some do not; 2 bad usage;
    3 the comparison could not continue; 130 or 143 interrupted.
    """
    with exit_codes(verbose=verbose):
        exit_on_signals()
        ignore_hang_up()
        keep_freed_memory()  # as workers do, so that images take the same time serially
        from imgpool.api import choose_recipe, parse_memory
        from imgpool.batch.plan import make_plan
        from imgpool.batch.settings import RunSettings
        from imgpool.compare.comparison import ComparisonRunner, new_folder_beside
        from imgpool.report.compare import comparison_lines
        from imgpool.report.compare_json import comparison_json
        from imgpool.report.compare_progress import ComparisonDisplay
        from imgpool.report.plot import check_plot, draw
        from imgpool.report.stdout import print_lines

        sample_size = _parse_sample(sample, all_images=all_images)
        repetitions = parse_whole(rounds, "--rounds", example=3)
        _check_empty(output)
        if plot:
            check_plot(plot, inputs)
        plan = make_plan(
            RunSettings(
                inputs=tuple(inputs),
                recipe=choose_recipe(recipe, filters or (), to, pixel_size),
                output=output or new_folder_beside(inputs[0]),
                workers=parse_count(workers, "--workers"),
                chunksize=parse_count(chunksize, "--chunksize"),
                timeout=None if timeout is None else parse_seconds(timeout, "--timeout"),
                max_memory=parse_memory(max_memory),
            )
        )
        with comparison_folder(plan.output, keep=output is not None):
            images = len(plan.tasks) if all_images else sample_size
            runner = ComparisonRunner(plan, plan.output, sample=images, rounds=repetitions)
            comparison = ComparisonDisplay(plan, verbose=verbose).follow(runner.measure_all(free_space=output is None))
        if as_json:
            print_json(comparison_json(comparison))
        else:
            print_lines(comparison_lines(comparison, traceback=verbose))
        if plot:
            draw(comparison, plot)
        raise typer.Exit(1 if comparison.differences else 0)


def _parse_sample(sample: str | None, *, all_images: bool) -> int | None:
    from imgpool.core.errors import UsageError

    if sample and all_images:
        raise UsageError("--sample and --all were both given", "give one of them")
    return None if sample is None else parse_whole(sample, "--sample", example=20)


def _check_empty(output: str | None) -> None:
    from imgpool.core.errors import UsageError

    if output and os.path.isdir(output) and os.listdir(output):
        raise UsageError(f"the output folder {output} is not empty", "choose a new folder with -o")


@contextmanager
def comparison_folder(path: str, *, keep: bool) -> Iterator[None]:
    """Provide a folder in this context and remove it at the end, unless it is to be kept.

    The first signal raises `Interrupted`; further signals are ignored, so that the folder is removed.
    """
    from imgpool.output.session import storage_errors

    before = set_handlers(_raise_interrupted)
    temporary = not keep and not os.path.lexists(path)
    signal_watchdog().allow_unhandled(IMAGE_TIMEOUT_S)
    signal_watchdog().set_advice(f"remove the folder {os.path.basename(path)}" if temporary else "")
    try:
        with storage_errors(path):
            os.makedirs(path, exist_ok=keep)
        yield
    finally:
        set_handlers(_ignore)
        if temporary:
            remove_folder(path)
        signal_watchdog().set_advice("")
        signal_watchdog().allow_unhandled(START_LIMIT_S)
        restore_handlers(before)


def _raise_interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    set_handlers(_ignore)
    signal_watchdog().discard_unread()
    raise Interrupted(number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the command ends already."""
    signal_watchdog().discard_unread()
