"""`imgpool.process`: the command, from Python."""

import os
from collections.abc import Iterator, Sequence

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.engine import StartMethod
from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint
from imgpool.core.quantity import parse_size
from imgpool.core.recipe import Output, Recipe, parse_pixel_size
from imgpool.core.task import Result
from imgpool.work.files import MAX_PIXELS

Path = str | os.PathLike[str]

DEFAULT_RECIPE = "enhance"


def process(  # noqa: PLR0913 - one keyword for each option of the command line
    inputs: Path | Sequence[Path],
    *,
    output: Path | None = None,
    recipe: str | Path | Recipe | None = None,
    filters: Sequence[str] = (),
    to: str | None = None,
    pixel_size: str | None = None,
    engine: str = "pool",
    workers: int | None = None,
    chunksize: int | None = None,
    timeout: float | None = None,
    retries: int = 1,
    max_memory: str | int | None = None,
    max_pixels: int = MAX_PIXELS,
    fresh: bool = False,
    start_method: StartMethod = "forkserver",
) -> Iterator[Result]:
    """Process images as ``imgpool process`` does, and yield what becomes of each.

    Everything is checked at the call; the work is done while the results are taken.

    Parameters
    ----------
    inputs
        A folder or an image file, or several.
    output
        Folder of the results; without it ``INPUT-processed``, beside the first input.
    recipe
        A built-in recipe's name, the path of a YAML file, or a `Recipe`; without it, and without
        `filters`, "enhance".
    filters
        Filters as on the command line, in order, instead of a recipe: ``["gaussian:sigma=2"]``.
    to
        Output format with its options: ``"tiff"``, ``"jpeg:quality=90"``.
    pixel_size
        For images that do not tell theirs: ``"0.325um"``.
    engine
        "pool" or "serial".
    workers, chunksize
        None lets imgpool choose.
    timeout
        Seconds that one image may take; without it 900, and 20 for each MB of its file; 0 for no limit.
    retries
        New tries for an image whose worker died or took too long.
    max_memory
        For all workers together: bytes, or a text such as ``"8GiB"``; without it, what is available. An image
        that needs more than its share waits, and runs alone if it must.
    max_pixels
        Files with more are refused.
    fresh
        Run everything, also what is done already.
    start_method
        How worker processes come to be: "fork", "forkserver" or "spawn".

    Yields
    ------
    Result
        One for every image: what is skipped first, then the rest as it is finished.

    Raises
    ------
    UsageError
        If the inputs, the recipe or a parameter is wrong; nothing was started.
    RunError
        If the run cannot go on; calling again continues it.
    """
    paths = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    plan = make_plan(
        RunSettings(
            inputs=tuple(os.fspath(path) for path in paths),
            recipe=choose_recipe(recipe, filters, to, pixel_size),
            output=None if output is None else os.fspath(output),
            engine=engine,
            workers=workers,
            chunksize=chunksize,
            timeout=timeout,
            retries=retries,
            max_memory=memory_size(max_memory),
            max_pixels=max_pixels,
            fresh=fresh,
            start_method=start_method,
        )
    )
    return Runner(plan).results()


def memory_size(size: str | int | None) -> int | None:
    """Bytes from a number or a text such as "8GiB"; raises `UsageError`."""
    try:
        return parse_size(size) if isinstance(size, str) else size
    except ValueError as error:
        raise UsageError(f"{Hint('max_memory')} {error}, not {size}") from None


def choose_recipe(
    recipe: Path | Recipe | None, filters: Sequence[str] = (), to: str | None = None, pixel_size: str | None = None
) -> Recipe:
    """The recipe that a call asks for, with its output format and pixel size; raises `UsageError`."""
    if recipe and filters:
        instead = " ".join(f"-f {spec}" for spec in (*Recipe.load(recipe).steps, *filters))
        raise UsageError("a recipe and single filters were both given", f"instead of -r: {instead}")
    chosen = Recipe.from_specs(filters) if filters else Recipe.load(recipe or DEFAULT_RECIPE)
    if to:
        chosen = chosen.with_output(Output.parse(to))
    return chosen.with_pixel_size(parse_pixel_size(pixel_size)) if pixel_size else chosen
