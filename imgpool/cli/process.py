"""``imgpool process``: the main job."""

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from imgpool.cli._count import count
from imgpool.cli._exit import exit_codes, print_json, say_interrupted
from imgpool.cli._interrupts import Interrupted, Interrupts, ignore_hang_up
from imgpool.cli._options import FilterSteps, Inputs, PixelLength, RecipeName, ToFormat
from imgpool.system.gc_control import resume_gc
from imgpool.system.signals import exit_on_signals

if TYPE_CHECKING:
    from imgpool.batch.plan import RunPlan

CONTINUE = "run the same command again to continue"
ALL_DONE = "nothing is left to do"


def process(  # noqa: PLR0913 - one parameter for each option of the command line
    *,
    inputs: Inputs,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="DIR", help="Default: INPUT-processed, beside the first.")
    ] = None,
    recipe: RecipeName = None,
    filters: FilterSteps = None,
    to: ToFormat = None,
    pixel_size: PixelLength = None,
    workers: Annotated[str, typer.Option("-j", "--workers", metavar="N|auto", help="Processes.")] = "auto",
    chunksize: Annotated[str, typer.Option(metavar="N|auto", help="Images handed to a worker at once.")] = "auto",
    serial: Annotated[bool, typer.Option("--serial", help="No pool: one image after the other.")] = False,
    engine: Annotated[
        str | None, typer.Option(metavar="serial|pool", help="What runs the images. Default: pool.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="For one image; 0 for no limit. Default: 900, and 20 for each MB of its file.",
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, metavar="N", help="New tries for an image whose worker died or took too long.")
    ] = 1,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="For all workers together; an image that needs more than its share waits, and runs alone if it must: "
            "8GiB. Default: what is available.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Refuse files with more. Default: 4294967296.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run all, also what is done already.")] = False,
    dry_run: Annotated[bool, typer.Option("-n", "--dry-run", help="Print the plan and stop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout at the end.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Failures only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="A line for every image, and tracebacks.")] = False,
) -> None:
    """Process every image in the inputs, on every core.

    Nothing is lost: a bad file is named and its neighbours go on, and running the same command again
    continues where the last run stopped. Ctrl-C finishes the images in hand; a second one stops at once.
    A run goes on without its terminal. Exit codes: 0 all done, 1 some images failed, 2 bad usage,
    3 the run could not go on, 130 or 143 interrupted.
    """
    with exit_codes(verbose=verbose):
        exit_on_signals()
        ignore_hang_up()
        from imgpool.api import choose_recipe, memory_size
        from imgpool.batch.plan import make_plan
        from imgpool.batch.settings import RunSettings
        from imgpool.work.files import MAX_PIXELS

        plan = make_plan(
            RunSettings(
                inputs=tuple(inputs),
                recipe=choose_recipe(recipe, filters or (), to, pixel_size),
                output=output,
                engine=_engine(engine, serial=serial),
                workers=count(workers, "--workers"),
                chunksize=count(chunksize, "--chunksize"),
                timeout=timeout,
                retries=retries,
                max_memory=memory_size(max_memory),
                max_pixels=max_pixels or MAX_PIXELS,
                fresh=fresh,
            )
        )
        resume_gc()
        if dry_run:
            _print_plan(plan, as_json=as_json)
        else:
            run_plan(plan, as_json=as_json, verbosity=verbose - quiet)


def _engine(name: str | None, *, serial: bool) -> str:
    from imgpool.core.errors import UsageError

    if serial and name not in {None, "serial"}:
        raise UsageError(f"--serial and --engine {name} were both given", "give one of them")
    return "serial" if serial else name or "pool"


def run_plan(plan: "RunPlan", *, as_json: bool, verbosity: int) -> NoReturn:
    """Run a plan with progress, summary and signal handling; end with the exit code."""
    from imgpool.batch.run import Runner
    from imgpool.report import overview, step_loads
    from imgpool.report.console import Reporter
    from imgpool.report.tally import Tally

    runner = Runner(plan)
    tally = Tally(plan.found)
    reporter = Reporter(tally, plan.found - len(plan.done), overview.display_root(plan.settings.inputs), verbosity)

    def finish(received: int | None) -> None:
        reporter.summary([*overview.retry_advice(tally), *(step_loads.load_lines(runner) if verbosity > 0 else ())])
        if as_json:
            print_json(overview.summary_json(runner, tally, interrupted=received is not None))

    def last_words(received: int) -> None:
        finish(received)
        say_interrupted(received, CONTINUE)

    for line in overview.header_lines(plan):
        reporter.print(line)
    with Interrupts(runner.stop, reporter.print_always, last_words) as interrupts:
        try:
            with suppress(Interrupted), reporter, interrupts.cutting():
                runner.prepare()
                for line in step_loads.preflight_lines(runner, verbosity):
                    reporter.print(line)
                with closing(runner.results(reporter.show_metrics)) as results:
                    for result in results:
                        reporter.show(result)
        finally:
            received = interrupts.received
            finish(received)
    if received is not None:
        raise Interrupted(received, CONTINUE if tally.left or tally.failed else ALL_DONE)
    raise typer.Exit(tally.exit_code)


def _print_plan(plan: "RunPlan", *, as_json: bool) -> None:
    from imgpool.report import overview
    from imgpool.system.streams import print_text

    if as_json:
        print_json(overview.plan_json(plan))
    else:
        for line in overview.plan_lines(plan):
            print_text(line)
