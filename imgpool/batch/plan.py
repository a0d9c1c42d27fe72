"""From images found to tasks: where each result goes, and what must not be started at all."""

import functools
import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgpool.batch.scan import Found
from imgpool.core.catalogue import FORMATS, split_extension
from imgpool.core.errors import ImgpoolError, UsageError
from imgpool.core.format import Format
from imgpool.core.image import PixelSize, Properties
from imgpool.core.recipe import Recipe
from imgpool.core.refusal import refuse
from imgpool.core.task import Task

RENAME = "rename one of them, or process them into different folders"
NAMED = 3
"""How many files a refusal names; the rest are counted."""

PROBES = [
    Properties(shape, np.dtype(dtype), axes, PixelSize(1.0, 1.0))
    for dtype in ("uint8", "uint16", "float32")
    for shape, axes in (((64, 64), "YX"), ((64, 64, 3), "YXS"))
]
"""An image of each common kind, to ask a recipe what it makes of it."""


def check_output(output: str, inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise `UsageError` if results would land in an input folder, or `output` is no folder."""
    real_output = os.path.realpath(output)
    for path in inputs:
        real_input = os.path.realpath(path)
        if os.path.isdir(real_input) and os.path.commonpath([real_input, real_output]) == real_input:
            raise UsageError(
                f"the output {output} lies inside the input {os.fspath(path)}", "choose another folder with -o"
            )
    nearest = next(path for path in (output, *map(str, Path(output).parents)) if os.path.lexists(path))
    if not os.path.isdir(nearest):
        raise UsageError(f"the output {nearest} is a file", "choose a folder with -o")


def plan(images: Iterable[Found], output: str, recipe: Recipe) -> list[Task]:
    """One task per image, in the order of the images.

    Parameters
    ----------
    images
        What the scan found.
    output
        The folder of the results; the tree below the inputs is mirrored in it.
    recipe
        Its output format gives the extension; without one, every image keeps its name.

    Raises
    ------
    UsageError
        If two images would become one file, here or on a file system that does not tell upper from lower
        case, or a result would replace an input.
    """
    format_ = FORMATS[recipe.output.format] if recipe.output.format else None
    inside = os.path.join(output, "")
    tasks = []
    links = set()
    for found in images:
        target = inside + target_name(found.relative, format_)
        tasks.append(Task(found.source, target, found.size, found.mtime_ns))
        if found.linked:
            links.add(found.source)
    folders = {os.path.dirname(task.target) for task in tasks}
    _refuse_collisions(tasks, folders)
    if os.path.isdir(output):
        _refuse_overwriting(tasks, folders, links)
    return tasks


def target_name(relative: str, format_: Format | None) -> str:
    """Where a result stands below the output: its own name, or with the extension of another format."""
    if format_ is None:
        return relative
    folder, name = os.path.split(relative)
    stem, own = split_extension(name)
    if format_ is own:
        return relative
    return os.path.join(folder, stem + format_.extensions[0])


def _refuse_collisions(tasks: Sequence[Task], folders: Iterable[str]) -> None:
    folders = _with_parents(folders)
    places = {hash(_place(task.target)) for task in tasks}  # of millions of names, a number each
    if len(places) == len(tasks) and places.isdisjoint(hash(_place(folder)) for folder in folders):
        return
    taken: dict[str, Task] = {}
    collisions = [(other, task) for task in tasks if (other := taken.setdefault(_place(task.target), task)) is not task]
    if collisions:
        more = f", and {len(collisions) - 1:,} more like it" if len(collisions) > 1 else ""
        raise UsageError(_collision(*collisions[0]) + more, RENAME)
    for folder in folders:
        if file := taken.get(_place(folder)):
            raise UsageError(f"{file.source} would become {file.target}, which is also a folder of results", RENAME)


def _with_parents(folders: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        above = folder
        while above not in found:
            found.add(above)
            above = os.path.dirname(above)
    return found


def _collision(one: Task, other: Task) -> str:
    if one.target == other.target:
        return f"{one.source} and {other.source} would both become {other.target}"
    return f"{one.target} and {other.target} are one file where upper and lower case are not told apart"


def _place(path: str) -> str:
    """What is left of a path where neither case nor the way letters are composed is told apart."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFC", path).casefold())


def _refuse_overwriting(tasks: Sequence[Task], folders: Iterable[str], source_links: AbstractSet[str]) -> None:
    """An input is never replaced: not where inputs lie in the output, nor where a link in the output leads to them."""
    target_links = {link for folder in folders for link in _links(folder)}
    homes = {os.path.dirname(task.source) for task in tasks}
    if _real_folders(homes, source_links).isdisjoint(_real_folders(folders, target_links)):
        return
    real_folder = functools.cache(os.path.realpath)

    def real(path: str, links: AbstractSet[str]) -> str:
        folder, name = os.path.split(path)
        return os.path.realpath(path) if path in links else os.path.join(real_folder(folder), name)

    sources = {real(task.source, source_links) for task in tasks}
    for task in tasks:
        if real(task.target, target_links) in sources:
            raise UsageError(f"{task.target} would replace an input", "choose another folder with -o")


def _links(folder: str) -> list[str]:
    """The links in a folder; none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return []


def _real_folders(folders: Iterable[str], links: Iterable[str]) -> set[str]:
    """Where folders really are, and those that the links in them lead into."""
    return {*map(os.path.realpath, folders), *(os.path.dirname(os.path.realpath(link)) for link in links)}


class ForeignFileError(UsageError):
    """A file that imgpool has not written stands where a result would go."""


def refuse_foreign(task: Task, unsettled_since_ns: int | None) -> None:
    """Raise `ForeignFileError` if a file stands at a target that the journal does not know.

    But a run that was killed may have left outputs that it had no time to journal: files that were written since
    it started, by the clock of their file system.
    """
    try:
        status = os.lstat(task.target)
    except OSError:
        return
    ours = unsettled_since_ns is not None and stat.S_ISREG(status.st_mode) and status.st_mtime_ns >= unsettled_since_ns
    if not ours:
        raise ForeignFileError(
            f"{task.target} is already there, and not written by imgpool", "choose another folder with -o"
        )


@dataclass(frozen=True, slots=True)
class _Refusal:
    source: str
    error: ImgpoolError


def refuse_unholdable(tasks: Sequence[Task], recipe: Recipe) -> None:
    """Raise `UsageError` if headers tell that results cannot be held by their output format.

    Headers are read only where that can happen; one that cannot be read is left for its own task to report.
    """
    everywhere = _changes_kind(recipe)
    if not everywhere and recipe.output.format is None:
        return
    suspects = (task for task in tasks if everywhere or _changes_format(task))
    refusals = [refusal for task in suspects if (refusal := _refusal(task, recipe))]
    if not refusals:
        return
    named = ", ".join(refusal.source for refusal in refusals[:NAMED])
    more = f" and {len(refusals) - NAMED:,} more" if len(refusals) > NAMED else ""
    first = refusals[0].error
    raise UsageError(f"{named}{more} cannot be written: {first.message}", first.hint)


def _refusal(task: Task, recipe: Recipe) -> _Refusal | None:
    source_format, target_format = _formats(task)
    try:
        outcome = recipe.infer_output(source_format.properties(task.source))
    except (ImgpoolError, OSError):
        return None
    if target_format.can_hold(outcome):
        return None
    return _Refusal(task.source, refuse(target_format, outcome))


def _formats(task: Task) -> tuple[Format, Format]:
    _, source_format = split_extension(os.path.basename(task.source))
    _, target_format = split_extension(os.path.basename(task.target))
    assert source_format is not None
    assert target_format is not None
    return source_format, target_format


def _changes_format(task: Task) -> bool:
    source_format, target_format = _formats(task)
    return source_format is not target_format


def _changes_kind(recipe: Recipe) -> bool:
    """Whether some image that goes in comes out with another dtype or other axes."""
    return any(_changed(recipe, probe) for probe in PROBES)


def _changed(recipe: Recipe, probe: Properties) -> bool:
    try:
        outcome = recipe.infer_output(probe)
    except ImgpoolError:  # a filter refuses this kind; an image of the kind fails by itself
        return False
    return (outcome.dtype, outcome.axes) != (probe.dtype, probe.axes)
