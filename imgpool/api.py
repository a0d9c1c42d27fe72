"""`imgpool.process`: process images from Python as the command line does."""

import os
from collections.abc import Iterator, Sequence

from imgpool.batch.plan import make_plan
from imgpool.batch.run import Runner
from imgpool.batch.settings import RunSettings
from imgpool.core.engine import StartMethod
from imgpool.core.errors import UsageError
from imgpool.core.hint import Hint
from imgpool.core.limits import MAX_PIXELS
from imgpool.core.quantity import parse_size
from imgpool.core.ranges import shown
from imgpool.core.recipe import Output, Recipe, parse_pixel_size
from imgpool.core.task import IfExists, Result

Path = str | os.PathLike[str]

DEFAULT_RECIPE = "enhance"


def process(  # noqa: PLR0913 - one keyword per option of the command line
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
    if_exists: IfExists = "fail",
    follow_output_links: bool = False,
) -> Iterator[Result]:
    """Process images as ``imgpool process`` does, and yield a result for each.

    Everything is checked when the function is called. The images are processed while the results are consumed.

    Parameters
    ----------
    inputs
        A folder or an image file, or several.
    output
        Output folder. Default: ``INPUT-processed``, beside the first input.
    recipe
        Name of a built-in recipe, path of a YAML file, or a `Recipe`. Default: "enhance", unless `filters` are given.
    filters
        Filters to apply instead of a recipe, in order, written as on the command line: ``["gaussian:sigma=2"]``.
    to
        Output format with its options: ``"tiff"``, ``"jpeg:quality=90"``. Default: that of the recipe, or of the input.
    pixel_size
        Pixel size for images that have none: ``"0.325um"``.
    engine
        "pool" or "serial".
    workers, chunksize
        Number of worker processes, and of images that a worker gets at a time; None for automatic.
    timeout
        Time limit for one image in seconds; 0 for no limit. Default: 900 s plus 20 s per MB of its file.
    retries
        How often to retry an image whose worker died or exceeded the time limit.
    max_memory
        Memory limit for all workers together: bytes, or a text such as ``"8GiB"``. An image that needs more than its
        share waits, and runs alone if necessary. Default: the available memory.
    max_pixels
        Refuse images with more pixels.
    fresh
        Process every image, even those that are done.
    start_method
        How worker processes are started: "fork", "forkserver" or "spawn".
    if_exists
        What to do with a target that exists and is not proved to be this image's own result, for example a file of
        yours, a result that you edited, or the result of another image: "fail" the image, "skip" it, or "replace" the
        file after moving it to ``.imgpool/replaced/`` in the output folder.
    follow_output_links
        Write also into sub-folders of the output folder that are links.

    Yields
    ------
    Result
        One per image: skipped images first, then the others as they are finished.

    Raises
    ------
    UsageError
        If the inputs, the recipe or a parameter is wrong; nothing was started.
    RunError
        If the run cannot continue; calling again continues it.
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
            max_memory=parse_memory(max_memory),
            max_pixels=max_pixels,
            fresh=fresh,
            start_method=start_method,
            if_exists=if_exists,
            follow_output_links=follow_output_links,
        )
    )
    return Runner(plan).results()


def parse_memory(size: str | int | None) -> int | None:
    """Return a memory size in bytes, given as a number or as text such as "8GiB"; raise `UsageError` if it is wrong."""
    try:
        return parse_size(size) if isinstance(size, str) else size
    except ValueError as error:
        hint = f"write {Hint('max_memory', '2GiB')}"
        raise UsageError(f"{Hint('max_memory')} {error}, not {shown(size)}", hint) from None


def choose_recipe(
    recipe: Path | Recipe | None, filters: Sequence[str] = (), to: str | None = None, pixel_size: str | None = None
) -> Recipe:
    """Return the recipe that the parameters of `process` describe; raise `UsageError` if they contradict each other."""
    if recipe and filters:
        all_filters = " ".join(str(Hint("filters", str(step))) for step in (*Recipe.load(recipe).steps, *filters))
        raise UsageError(
            f"{Hint('recipe')} and {Hint('filters')} were both given", f"give the filters alone: {all_filters}"
        )
    chosen = Recipe.from_specs(filters) if filters else Recipe.load(recipe or DEFAULT_RECIPE)
    if to:
        chosen = chosen.with_output(Output.parse(to))
    return chosen.with_pixel_size(parse_pixel_size(pixel_size)) if pixel_size else chosen
