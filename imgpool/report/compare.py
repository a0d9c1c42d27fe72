"""A comparison of serial and pool, for people: progress while it goes on, then tables."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement as Extent
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imgpool.compare.bare_pool import PoolMethod, PoolMethodTiming
from imgpool.compare.comparison import SERIAL, Comparison, ComparisonProgress
from imgpool.compare.measurer import EngineSetup, Measurement
from imgpool.report.compare_words import BARE, BOTTLENECKS, DISTURBED, LESSONS, STAGES, label, options
from imgpool.report.console import failure_lines
from imgpool.report.overview import display_root
from imgpool.report.progress import choose_progress, stderr_console
from imgpool.report.text import StyledLine, duration, plural, printable, short, size

BAR = 20
"""Characters of the longest bar."""

WIDEST = 100
"""Characters of the longest line that has to be read."""

SHOWN_SECONDS = 0.005
"""A stage that takes less is left out."""

NAMED = 20
"""Differences that are told one by one; the rest are counted, and all stand in the JSON."""


class ComparisonDisplay:
    """Shows on stderr how far a comparison has come.

    Parameters
    ----------
    comparison
        Which.
    verbose
        A line for every run.
    """

    def __init__(self, comparison: Comparison, *, verbose: bool = False) -> None:
        self._comparison = comparison
        self._verbose = verbose
        self._console = stderr_console()
        self._seconds_left = 0.0

    def follow(self, steps: Iterator[ComparisonProgress]) -> None:
        """Go through all of them."""
        plan = self._comparison.plan
        self._say(f"{printable(plan.settings.recipe.name)} · {plural(len(plan.tasks), 'image')} · choosing a sample")
        first = next(steps)
        images = plural(len(self._comparison.tasks), "image")
        self._say(f"  {plural(first.left, 'run')} over {images}, about {duration(first.seconds_left)}")
        self._take(first)
        progress = choose_progress(self._console, self._line, first.left)
        progress.start()
        try:
            for step in steps:
                self._take(step)
                progress.advance()
        finally:
            progress.stop()

    def _take(self, step: ComparisonProgress) -> None:
        self._seconds_left = step.seconds_left
        if self._verbose:
            self._say(f"  {_told(step.done)}")

    def _line(self, _left: int) -> str:
        return f"about {duration(self._seconds_left)} left"

    def _say(self, text: str) -> None:
        self._console.print(StyledLine(text))


def _told(done: Measurement | PoolMethodTiming | PoolMethod) -> str:
    if isinstance(done, PoolMethod):
        return f"{label(done)} · it came to no end"
    if isinstance(done, PoolMethodTiming):
        return f"{label(done.method)} · {done.seconds:.2f} s"
    why = f" · {printable(done.metrics.reason)}" if done.metrics.reason else ""
    return f"{label(done.setup)} · {done.seconds:.2f} s · {done.rate:.1f} images/s{why}"


def comparison_lines(comparison: Comparison, *, traceback: bool = False) -> Iterator[StyledLine | Text]:
    """What was found: first whether all is the same, then the figures, last what to choose."""
    yield _header(comparison)
    yield from _verdict(comparison, traceback=traceback)
    yield from _rendered(
        Group(
            *_section(_workers_title(comparison), _workers_table(comparison)),
            *_section("Where the time of all workers goes, in seconds", *_stages(comparison)),
            *_section(f"Chunk sizes, {label(EngineSetup('pool', comparison.most.workers))}", _chunks_table(comparison)),
            *_section(f"The methods of multiprocessing.Pool, {label(comparison.most)}", *_methods(comparison)),
            *_section("In short", _conclusions(comparison)),
        )
    )


def _header(comparison: Comparison) -> StyledLine:
    plan, tasks = comparison.plan, comparison.tasks
    images = f"{len(tasks):,} of {plural(len(plan.tasks), 'image')}"
    some, every = (sum(task.size for task in each) for each in (tasks, plan.tasks))
    rounds = "one round" if comparison.rounds == 1 else f"medians of {comparison.rounds} rounds"
    cores = plural(comparison.cores, "core")
    parts = [printable(plan.settings.recipe.name), images, f"{size(some)} of {size(every)}", cores, rounds]
    return StyledLine(" · ".join(parts), "bold")


def _verdict(comparison: Comparison, *, traceback: bool) -> Iterator[StyledLine]:
    below = display_root(comparison.plan.settings.inputs)
    differences = comparison.differences
    for each in differences[:NAMED]:
        yield StyledLine(f"✗ {short(each.source, below)} · {label(each.where)} · {printable(each.how)}", "red")
    if len(differences) > NAMED:
        yield StyledLine(f"✗ and {len(differences) - NAMED:,} more like these: --json names them all", "red")
    different = len({each.source for each in differences})
    runs = plural(comparison.runs, "run")
    if different:
        yield StyledLine(
            f"✗ {plural(different, 'image')} of {len(comparison.tasks):,} not the same in all {runs}", "red"
        )
    else:
        yield StyledLine(f"✓ {plural(len(comparison.tasks), 'image')}, the same bytes in all {runs}", "green")
    if comparison.failed:
        yield StyledLine(f"  {plural(len(comparison.failed), 'image')} among them failed, serially too:")
    for result in comparison.failed:
        yield from failure_lines(result, below, traceback=traceback)
    if comparison.deadly:
        yield StyledLine(
            f"  {plural(len(comparison.deadly), 'image')} left out: a pool outlives it, a serial run would not:"
        )
    for result in comparison.deadly:
        yield from failure_lines(result, below, traceback=traceback)


def _workers_title(comparison: Comparison) -> str:
    chunksize = comparison.most.chunksize
    return f"Workers, chunks of {chunksize}" if chunksize else "Workers"


def _workers_table(comparison: Comparison) -> Table:
    serial = comparison.by_workers[0]
    table = _table("", "seconds", "images/s", "speed-up", "efficiency", bars=True)
    fastest = min(measured.seconds for measured in comparison.by_workers)
    for measured in comparison.by_workers:
        speed_up = serial.seconds / measured.seconds
        table.add_row(
            label(EngineSetup(measured.setup.engine, measured.setup.workers)),
            f"{measured.seconds:.2f}",
            f"{measured.rate:.1f}",
            f"{speed_up:.2f}",
            f"{speed_up / measured.setup.workers:.0%}",
            _Bar(fastest / measured.seconds),
        )
    return table


def _stages(comparison: Comparison) -> Iterator[RenderableType]:
    serial, most = comparison.median(SERIAL), comparison.median(comparison.most)
    whole = most.seconds * most.setup.workers
    longest = max(each.seconds for each in most.stages)
    shown = [
        (alone, stage)
        for alone, stage in zip(serial.stages, most.stages, strict=True)
        if max(stage.seconds, alone.seconds) >= SHOWN_SECONDS
    ]
    table = _table("", "serial", label(EngineSetup("pool", most.setup.workers)), "share", bars=True)
    for alone, stage in shown:
        share = max(0.0, stage.seconds)
        cells = (f"{alone.seconds:.2f}", f"{stage.seconds:.2f}", f"{share / whole:.0%}", _Bar(share / longest))
        table.add_row(printable(stage.stage), *cells)
    sum_ = Text(f"= {most.setup.workers} × {most.seconds:.2f}", "dim")
    table.add_row("in all", f"{serial.seconds:.2f}", f"{whole:.2f}", "", sum_, style="bold")
    yield table
    meanings = [f"{stage.stage}: {STAGES[stage.stage]}" for _, stage in shown if stage.stage in STAGES]
    yield Text(" · ".join(meanings), "dim")


def _chunks_table(comparison: Comparison) -> Table:
    table = _table("chunk size", "seconds", "images/s", bars=True)
    fastest = min(measured.seconds for measured in comparison.by_chunksize)
    for measured in comparison.by_chunksize:
        length = measured.setup.chunksize
        chosen = f"auto (up to {measured.metrics.longest_chunk})" if measured.metrics.longest_chunk else "auto"
        cells = (f"{measured.seconds:.2f}", f"{measured.rate:.1f}", _Bar(fastest / measured.seconds))
        table.add_row(str(length) if length else chosen, *cells)
    return table


def _methods(comparison: Comparison) -> Iterator[RenderableType]:
    if not comparison.methods:
        yield Text("left out: its workers wait for nobody, and would need more memory than there is", "dim")
        return
    table = _table("", "chunk size", "first result", "seconds", "waiting")
    for method, timed in comparison.methods.items():
        length = "–" if method.name == "apply_async" else str(method.chunksize or "auto")
        table.add_row(method.name, length, *_method_cells(timed))
    most = comparison.median(comparison.most)
    cells = (str(most.setup.chunksize or "auto"), f"{most.first:.2f}", f"{most.seconds:.2f}", str(most.waiting))
    table.add_row("imgpool", *cells, style="bold")
    yield table
    yield Text("in seconds; waiting: the most results that were finished and not yet handed over", "dim")
    lessons = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for name in _lessons(comparison.methods):
        lessons.add_row(name, LESSONS[name])
    yield Padding(lessons, (1, 0))
    yield Text(BARE)


def _method_cells(timed: PoolMethodTiming | None) -> tuple[str, str, str]:
    if timed is None:
        return "–", "no end", "–"
    return f"{timed.first:.2f}", f"{timed.seconds:.2f}", str(timed.waiting)


def _lessons(methods: Iterable[PoolMethod]) -> list[str]:
    names = [f"{method.name} in chunks" if (method.chunksize or 1) > 1 else method.name for method in methods]
    return [*names, "imgpool"]


def _conclusions(comparison: Comparison) -> Table:
    advice, bottleneck = comparison.advice, comparison.bottleneck
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_row("bound by", f"{BOTTLENECKS[bottleneck.by]}: {bottleneck.why}")
    most = comparison.median(comparison.most)
    held = f"a worker holds up to {size(most.peak)}, all {most.setup.workers} together {size(most.total_peak)}"
    table.add_row("memory", held if most.peak else "not known: the run was too short")
    read = sum(task.size for task in comparison.tasks)
    rate = f", {size(read / comparison.reading)}/s" if comparison.reading else ""
    files = f"read once beforehand ({comparison.reading:.2f} s{rate}), so that every run finds them in memory"
    table.add_row("files", files)
    if comparison.disturbed:
        table.add_row("caution", DISTURBED)
    every = plural(len(comparison.plan.tasks), "image")
    estimate = f"{every} take about {duration(advice.seconds)}, serially {duration(comparison.serial_for_all)}"
    table.add_row("choose", Text.assemble((options(advice.setup), "bold"), f": {advice.why}"))
    table.add_row("", estimate)
    return table


def _section(title: str, *content: RenderableType) -> list[RenderableType]:
    return [Text(), Text(title, "bold"), *(Padding(each, (0, 0, 0, 2)) for each in content)]


def _table(*columns: str, bars: bool = False) -> Table:
    """A table whose first column is text, and all others numbers."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    if bars:
        table.add_column("")
    return table


class _Bar:
    """A bar that gives way where a terminal is narrow."""

    def __init__(self, share: float) -> None:
        self._share = share

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        mark = "#" if options.ascii_only else "━"
        yield Text(mark * round(min(BAR, options.max_width) * self._share), "cyan")

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Extent:
        return Extent(1, BAR)


def _rendered(group: Group) -> Iterator[Text]:
    """What rich makes of it on this terminal, line by line."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDEST)
    with console.capture() as capture:
        console.print(group)
    lines: Sequence[str] = capture.get().splitlines()
    for line in lines:
        text = Text.from_ansi(line)
        text.rstrip()
        yield text
