"""Results of a comparison for people: a verdict, tables and a recommendation."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement as Extent
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.measurement import SERIAL, EngineSetup
from imgpool.compare.results import Comparison
from imgpool.core.task import Result
from imgpool.report.compare_words import (
    BARE_POOL_NOTE,
    BOTTLENECK_WORDS,
    DISTURBED_NOTE,
    METHOD_NOTES,
    STAGE_NOTES,
    command_options,
    label,
)
from imgpool.report.console import failure_lines
from imgpool.report.overview import display_root
from imgpool.report.text import StyledLine, duration, plural, printable, short, size

MAX_BAR_CHARACTERS = 20
MAX_LINE_CHARACTERS = 100

MIN_SHOWN_SECONDS = 0.005
"""Stages that take less time are not shown."""

MAX_LISTED_DIFFERENCES = 20
"""Further differences are only counted; the JSON output lists all of them."""


def comparison_lines(comparison: Comparison, *, traceback: bool = False) -> Iterator[StyledLine | Text]:
    """Format a comparison: whether all outputs agree, then the tables, then the recommendation."""
    yield _header(comparison)
    yield from _verdict(comparison, traceback=traceback)
    yield from _render(
        Group(
            *_section(_workers_title(comparison), _workers_table(comparison)),
            *_section("Time of all workers by stage, in seconds", *_stages(comparison)),
            *_section(f"Chunk sizes, {label(_without_chunksize(comparison.largest))}", _chunks_table(comparison)),
            *_section(f"Methods of multiprocessing.Pool, {label(comparison.largest)}", *_methods(comparison)),
            *_section("Summary", _summary(comparison)),
        )
    )


def _header(comparison: Comparison) -> StyledLine:
    plan, tasks = comparison.plan, comparison.tasks
    images = f"{len(tasks):,} of {plural(len(plan.tasks), 'image')}"
    sample, total = (sum(task.size for task in each) for each in (tasks, plan.tasks))
    rounds = "one round" if comparison.rounds == 1 else f"medians of {comparison.rounds} rounds"
    cores = plural(comparison.cores, "core")
    parts = [printable(plan.settings.recipe.name), images, f"{size(sample)} of {size(total)}", cores, rounds]
    return StyledLine(" · ".join(parts), "bold")


def _verdict(comparison: Comparison, *, traceback: bool) -> Iterator[StyledLine]:
    root = display_root(comparison.plan.settings.inputs)
    differences = comparison.differences
    for each in differences[:MAX_LISTED_DIFFERENCES]:
        yield StyledLine(f"✗ {short(each.source, root)} · {label(each.where)} · {printable(each.how)}", "red")
    if len(differences) > MAX_LISTED_DIFFERENCES:
        yield StyledLine(f"✗ and {len(differences) - MAX_LISTED_DIFFERENCES:,} more: --json lists all of them", "red")
    different = len({each.source for each in differences})
    runs, images = plural(comparison.runs, "run"), plural(len(comparison.tasks), "image")
    if different:
        yield StyledLine(f"✗ {different:,} of {images}: different results in {runs}", "red")
    else:
        yield StyledLine(f"✓ {images}: identical results in all {runs}", "green")
    if comparison.failed:
        yield StyledLine(f"  {plural(len(comparison.failed), 'image')} failed, also in the serial run:")
        yield from _failures(comparison.failed, root, traceback=traceback)
    if comparison.excluded:
        count = plural(len(comparison.excluded), "image")
        yield StyledLine(f"  {count} excluded, which would end or block a serial run; the pool survives this:")
        yield from _failures(comparison.excluded, root, traceback=traceback)


def _failures(results: Iterable[Result], root: str, *, traceback: bool) -> Iterator[StyledLine]:
    for result in results:
        yield from failure_lines(result, root, traceback=traceback)


def _workers_title(comparison: Comparison) -> str:
    chunksize = comparison.largest.chunksize
    return f"Workers, chunks of {chunksize}" if chunksize else "Workers"


def _workers_table(comparison: Comparison) -> Table:
    serial = comparison.by_workers[0]
    table = _table("", "seconds", "images/s", "speed-up", "efficiency", bars=True)
    fastest = min(run.seconds for run in comparison.by_workers)
    for run in comparison.by_workers:
        speed_up = serial.seconds / run.seconds
        table.add_row(
            label(_without_chunksize(run.setup)),
            f"{run.seconds:.2f}",
            f"{run.images_per_second:.1f}",
            f"{speed_up:.2f}",
            f"{speed_up / run.setup.workers:.0%}",
            _Bar(fastest / run.seconds),
        )
    return table


def _stages(comparison: Comparison) -> Iterator[RenderableType]:
    serial, largest = comparison.median(SERIAL), comparison.median(comparison.largest)
    workers = largest.setup.workers
    worker_seconds = largest.seconds * workers
    longest = max(stage.seconds for stage in largest.stages)
    shown = [
        (serial_stage, stage)
        for serial_stage, stage in zip(serial.stages, largest.stages, strict=True)
        if max(stage.seconds, serial_stage.seconds) >= MIN_SHOWN_SECONDS
    ]
    table = _table("", "serial", label(EngineSetup("pool", workers)), "share", bars=True)
    for serial_stage, stage in shown:
        seconds = max(0.0, stage.seconds)
        cells = (f"{serial_stage.seconds:.2f}", f"{stage.seconds:.2f}", f"{seconds / worker_seconds:.0%}")
        table.add_row(printable(stage.stage), *cells, _Bar(seconds / longest))
    total = Text(f"= {workers} × {largest.seconds:.2f}", "dim")
    table.add_row("total", f"{serial.seconds:.2f}", f"{worker_seconds:.2f}", "", total, style="bold")
    yield table
    notes = [f"{stage.stage}: {STAGE_NOTES[stage.stage]}" for _, stage in shown if stage.stage in STAGE_NOTES]
    yield Text(" · ".join(notes), "dim")


def _chunks_table(comparison: Comparison) -> Table:
    table = _table("chunk size", "seconds", "images/s", bars=True)
    fastest = min(run.seconds for run in comparison.by_chunksize)
    for run in comparison.by_chunksize:
        longest = run.metrics.longest_chunk
        automatic = f"auto (up to {longest})" if longest else "auto"
        cells = (f"{run.seconds:.2f}", f"{run.images_per_second:.1f}", _Bar(fastest / run.seconds))
        table.add_row(str(run.setup.chunksize or automatic), *cells)
    return table


def _methods(comparison: Comparison) -> Iterator[RenderableType]:
    if not comparison.methods:
        yield Text("not measured: bare pools do not limit their memory and would need more than there is", "dim")
        return
    table = _table("", "chunk size", "first result", "seconds", "waiting")
    for method, timing in comparison.methods.items():
        chunksize = "–" if method.name == "apply_async" else str(method.chunksize or "auto")
        table.add_row(method.name, chunksize, *_timing_cells(timing))
    largest = comparison.median(comparison.largest)
    times = (f"{largest.first_result_seconds:.2f}", f"{largest.seconds:.2f}")
    table.add_row("imgpool", str(largest.setup.chunksize or "auto"), *times, str(largest.max_waiting), style="bold")
    yield table
    yield Text("waiting: the largest number of results that were finished but not yet handed over", "dim")
    notes = _plain_table()
    for name in _names_with_notes(comparison.methods):
        notes.add_row(name, METHOD_NOTES[name])
    yield Padding(notes, (1, 0))
    yield Text(BARE_POOL_NOTE)


def _timing_cells(timing: PoolMethodTiming | None) -> tuple[str, str, str]:
    if timing is None:
        return "–", "failed", "–"
    return f"{timing.first_result_seconds:.2f}", f"{timing.seconds:.2f}", str(timing.max_waiting)


def _names_with_notes(methods: Iterable[PoolMethod]) -> list[str]:
    names = [f"{method.name} in chunks" if (method.chunksize or 1) > 1 else method.name for method in methods]
    return [*names, "imgpool"]


def _summary(comparison: Comparison) -> Table:
    table = _plain_table()
    table.add_row("bottleneck", _describe_bottleneck(comparison))
    table.add_row("memory", _describe_memory(comparison))
    table.add_row("files", _describe_files(comparison))
    if comparison.disturbed:
        table.add_row("caution", DISTURBED_NOTE)
    advice = comparison.advice
    table.add_row("recommended", Text.assemble((command_options(advice.setup), "bold"), f": {advice.reason}"))
    table.add_row("", _describe_duration(comparison))
    return table


def _describe_duration(comparison: Comparison) -> str:
    advice, images = comparison.advice, plural(len(comparison.plan.tasks), "image")
    text = f"about {duration(advice.seconds)} for {images}"
    if advice.setup.engine == "serial":
        return text
    return f"{text}, {duration(comparison.serial_seconds_for_all)} in a serial run"


def _describe_bottleneck(comparison: Comparison) -> str:
    bottleneck = comparison.bottleneck
    return f"{BOTTLENECK_WORDS[bottleneck.kind]}: {bottleneck.evidence}"


def _describe_memory(comparison: Comparison) -> str:
    largest = comparison.median(comparison.largest)
    if not largest.peak_memory:
        return "unknown, because the run was too short"
    text = f"at most {size(largest.peak_memory)} per worker"
    if largest.setup.workers == 1:
        return text
    return f"{text}, {size(largest.total_peak_memory)} for {largest.setup.workers} workers together"


def _describe_files(comparison: Comparison) -> str:
    seconds = comparison.cold_read_seconds
    rate = f", {size(sum(task.size for task in comparison.tasks) / seconds)}/s" if seconds else ""
    return f"read once beforehand ({seconds:.2f} s{rate}), so that they are cached in every run"


def _without_chunksize(setup: EngineSetup) -> EngineSetup:
    return EngineSetup(setup.engine, setup.workers)


def _section(title: str, *content: RenderableType) -> list[RenderableType]:
    return [Text(), Text(title, "bold"), *(Padding(each, (0, 0, 0, 2)) for each in content)]


def _plain_table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)


def _table(*columns: str, bars: bool = False) -> Table:
    """Create a table whose first column is text and whose other columns are numbers."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    if bars:
        table.add_column("")
    return table


class _Bar:
    """A bar that shrinks on a narrow terminal."""

    def __init__(self, share: float) -> None:
        self._share = share

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        character = "#" if options.ascii_only else "━"
        yield Text(character * round(min(MAX_BAR_CHARACTERS, options.max_width) * self._share), "cyan")

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Extent:
        return Extent(1, MAX_BAR_CHARACTERS)


def _render(group: Group) -> Iterator[Text]:
    """Render for the current terminal, line by line."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, MAX_LINE_CHARACTERS)
    with console.capture() as capture:
        console.print(group)
    lines: Sequence[str] = capture.get().splitlines()
    for line in lines:
        text = Text.from_ansi(line)
        text.rstrip()
        yield text
