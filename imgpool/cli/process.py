"""``imgpool process``: process folders of images."""

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from imgpool.cli._exit import exit_codes, print_interrupted, print_json
from imgpool.cli._interrupts import Interrupted, Interrupts
from imgpool.cli._numbers import parse_count, parse_seconds, parse_whole
from imgpool.cli._options import (
    FilterSteps,
    Inputs,
    MaxMemory,
    MaxPixels,
    PixelLength,
    Quiet,
    RecipeName,
    ToFormat,
    Workers,
)
from imgpool.system.gc_control import resume_gc
from imgpool.system.signals import exit_on_signals, ignore_hang_up

if TYPE_CHECKING:
    from imgpool.batch.plan import RunPlan
    from imgpool.core.task import IfExists

CONTINUE_ADVICE = "run the same command again to continue"
ALL_DONE_ADVICE = "nothing is left to do"


def process_command(  # noqa: PLR0913 - one parameter per option of the command line
    *,
    inputs: Inputs,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Output folder. Default: INPUT-processed, beside the first input."
        ),
    ] = None,
    recipe: RecipeName = None,
    filters: FilterSteps = None,
    to: ToFormat = None,
    pixel_size: PixelLength = None,
    workers: Workers = "auto",
    chunksize: Annotated[
        str, typer.Option(metavar="N|auto", help="Number of images that a worker gets at a time.")
    ] = "auto",
    serial: Annotated[
        bool, typer.Option("--serial", help="Process one image after the other, without a pool.")
    ] = False,
    engine: Annotated[
        str | None, typer.Option(metavar="serial|pool", help="Engine that processes the images. Default: pool.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help="Time limit for one image; 0 for no limit. Default: 900 s plus 20 s per MB of its file.",
        ),
    ] = None,
    retries: Annotated[
        str,
        typer.Option(metavar="N", help="How often to retry an image whose worker died or exceeded the time limit."),
    ] = "1",
    max_memory: MaxMemory = None,
    max_pixels: MaxPixels = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Reprocess everything.")] = False,
    if_exists: Annotated[
        str,
        typer.Option(
            metavar="fail|skip|replace",
            help="What to do with a file at a target that is not proved to be the image's own result: fail the image, "
            "skip it, or replace the file after moving it to OUT/.imgpool/replaced.",
        ),
    ] = "fail",
    follow_output_links: Annotated[
        bool, typer.Option("--follow-output-links", help="Write also into sub-folders of the output that are links.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Print what would be done, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout at the end.")] = False,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print a line for every image, and tracebacks.")
    ] = False,
) -> None:
    """Process every image in the inputs, on every core.

    An image that fails is reported, and the others are processed. To continue an interrupted run, or to retry what
    failed, run the same command again. Ctrl-C lets the current images finish; a second Ctrl-C stops at once. A run
    continues if its terminal is closed.

    Exit codes: 0 all done; 1 some images failed; 2 bad usage, nothing was started; 3 the run could not continue;
    130 or 143 interrupted.
    """
    with exit_codes(verbose=verbose):
        exit_on_signals()
        ignore_hang_up()
        from imgpool.api import choose_recipe, parse_memory
        from imgpool.batch.plan import make_plan
        from imgpool.batch.settings import RunSettings
        from imgpool.core.limits import MAX_PIXELS

        plan = make_plan(
            RunSettings(
                inputs=tuple(inputs),
                recipe=choose_recipe(recipe, filters or (), to, pixel_size),
                output=output,
                engine=_choose_engine(engine, serial=serial),
                workers=parse_count(workers, "--workers"),
                chunksize=parse_count(chunksize, "--chunksize"),
                timeout=None if timeout is None else parse_seconds(timeout, "--timeout"),
                retries=parse_whole(retries, "--retries", minimum=0, example=2),
                max_memory=parse_memory(max_memory),
                max_pixels=MAX_PIXELS if max_pixels is None else parse_whole(max_pixels, "--max-pixels", example=10**9),
                fresh=fresh,
                if_exists=cast("IfExists", if_exists),
                follow_output_links=follow_output_links,
            ),
            all_headers=dry_run,
        )
        resume_gc()
        if dry_run:
            _print_plan(plan, as_json=as_json)
        else:
            run_plan(plan, as_json=as_json, verbosity=verbose - quiet)


def _choose_engine(name: str | None, *, serial: bool) -> str:
    from imgpool.core.errors import UsageError

    if serial and name not in {None, "serial"}:
        raise UsageError(f"--serial and --engine {name} were both given", "give one of them")
    return "serial" if serial else name or "pool"


def _print_plan(plan: "RunPlan", *, as_json: bool) -> None:
    from imgpool.report import overview
    from imgpool.system.streams import print_text

    if as_json:
        print_json(overview.plan_json(plan))
    else:
        for line in overview.plan_lines(plan):
            print_text(line)


def run_plan(plan: "RunPlan", *, as_json: bool, verbosity: int) -> NoReturn:
    """Run a plan with progress, signal handling and a summary; end with the exit code of the run."""
    from imgpool.batch.run import Runner
    from imgpool.report import overview, step_loads
    from imgpool.report.console import Reporter
    from imgpool.report.tally import Tally

    runner = Runner(plan)
    tally = Tally(plan.found)
    reporter = Reporter(tally, plan.found - len(plan.done), overview.display_root(plan.settings.inputs), verbosity)

    def print_summary(signal_number: int | None) -> None:
        reporter.summary([*overview.retry_advice(tally), *(step_loads.load_lines(runner) if verbosity > 0 else ())])
        if as_json:
            print_json(overview.summary_json(runner, tally, interrupted=signal_number is not None))

    def print_last_summary(signal_number: int) -> None:
        print_summary(signal_number)
        print_interrupted(signal_number, CONTINUE_ADVICE)

    for line in overview.header_lines(plan):
        reporter.print(line)
    with Interrupts(runner.stop, reporter.print_always, print_last_summary, advice=CONTINUE_ADVICE) as interrupts:
        try:
            with suppress(Interrupted), reporter, interrupts.raising():
                runner.prepare()
                for line in step_loads.preflight_lines(runner, verbosity):
                    reporter.print(line)
                with closing(runner.results(reporter.show_metrics, reporter.show_warning)) as results:
                    for result in results:
                        reporter.show(result)
        finally:
            received = interrupts.received
            print_summary(received)
    if received is not None:
        raise Interrupted(received, CONTINUE_ADVICE if tally.left or tally.failed else ALL_DONE_ADVICE)
    raise typer.Exit(tally.exit_code)
