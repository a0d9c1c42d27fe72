"""Where each result is written: mirror the inputs in the output folder, and refuse targets that would collide."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from types import ModuleType

from imgpool.batch.scan import ImageFile
from imgpool.core.catalogue import FORMATS, split_extension
from imgpool.core.errors import UsageError
from imgpool.core.format import Format
from imgpool.core.hint import Hint
from imgpool.core.recipe import Recipe
from imgpool.core.task import Task
from imgpool.system.file_kinds import kind_of
from imgpool.system.paths import lies_inside, name_folding, name_problem, nearest_existing, openable, plain

RENAME_HINT = "rename one of them, or process them into different folders"
OTHER_OUTPUT_HINT = f"choose another folder with {Hint('output')}"


def check_output(output: str, inputs: Iterable[str | os.PathLike[str]], rules: ModuleType = os.path) -> None:
    """Raise `UsageError` if the output lies inside an input folder, or cannot be a folder.

    Parameters
    ----------
    output
        The output folder; it need not exist.
    inputs
        Files and folders.
    rules
        Rules for paths: `ntpath` or `posixpath`, by default those of this system.
    """
    if problem := name_problem(output, rules):
        raise UsageError(f"the output {output} cannot be created: {problem}", OTHER_OUTPUT_HINT)
    for path in inputs:
        if os.path.isdir(openable(os.fspath(path))) and lies_inside(output, os.fspath(path)):
            is_same = _is_same_folder(output, os.fspath(path))
            where = "is the input folder itself" if is_same else f"lies inside the input {os.fspath(path)}"
            raise UsageError(f"the output {output} {where}", OTHER_OUTPUT_HINT)
    nearest = nearest_existing(output)
    if not os.path.isdir(openable(nearest)):
        is_link = os.path.islink(openable(nearest))
        kind = "a link that leads to no folder" if is_link else kind_of(os.lstat(openable(nearest)))
        raise UsageError(f"the output {nearest} is {kind}", OTHER_OUTPUT_HINT)


def _is_same_folder(output: str, path: str) -> bool:
    """Whether an output, which need not exist, is an existing folder."""
    return os.path.isdir(openable(output)) and os.path.samefile(openable(output), openable(path))


def make_tasks(images: Iterable[ImageFile], output: str, recipe: Recipe) -> list[Task]:
    """Make one task per image, in the order of the images.

    Parameters
    ----------
    images
        The images to process.
    output
        Output folder; the folder tree of the inputs is mirrored in it.
    recipe
        Its output format gives the extension of the targets; without one, every image keeps its name.
    """
    format_ = FORMATS[recipe.output.format] if recipe.output.format else None
    prefix = os.path.join(output, "")
    return [
        Task(image.source, prefix + target_name(image.relative, format_), image.size, image.mtime_ns)
        for image in images
    ]


def target_name(relative: str, format_: Format | None) -> str:
    """Return the path of a result below the output folder: the same, or with the extension of another format."""
    if format_ is None:
        return relative
    folder, name = os.path.split(relative)
    stem, own = split_extension(name)
    if format_ is own:
        return relative
    return os.path.join(folder, stem + format_.extensions[0])


def check_targets(
    tasks: Sequence[Task],
    output: str,
    links: AbstractSet[str],
    *,
    rules: ModuleType = os.path,
    fold: Callable[[str], str] | None = None,
) -> None:
    """Raise `UsageError` if a result would replace another result or an input.

    Two results also collide if their names differ only in case and the output's file system ignores case. What it does
    is found out without writing anything; in doubt, it is taken for one that ignores case.

    Parameters
    ----------
    tasks
        All tasks of a run.
    output
        Output folder.
    links
        The sources that are symbolic links.
    rules
        Rules for paths: `ntpath` or `posixpath`, by default those of this system.
    fold
        Makes two paths equal if they are one file; by default as the output's file system is.
    """
    _check_names(tasks, output, rules)
    folders = {os.path.dirname(task.target) for task in tasks}
    fold = fold or name_folding(output)
    _check_collisions(tasks, _with_parents(folders), fold)
    if os.path.isdir(openable(output)):
        _check_overwriting(tasks, folders, links, fold)


def _check_names(tasks: Sequence[Task], output: str, rules: ModuleType) -> None:
    """Raise `UsageError` if the system does not allow the name of a target."""
    if rules is os.path and os.sep == "/":  # every name is allowed: look at none of a million
        return
    start = len(output)
    for task in tasks:
        if problem := name_problem(task.target[start:], rules):
            raise UsageError(f"{task.source} would become {task.target}, but {problem}", "rename it or its folder")


def _with_parents(folders: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for folder in folders:
        parent = folder
        while parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return found


def _check_collisions(tasks: Sequence[Task], folders: AbstractSet[str], fold: Callable[[str], str]) -> None:
    """Raise `UsageError` if two targets are one path, or a target is also a folder of targets."""
    if _may_collide(tasks, folders, fold):
        by_path = _check_equal_targets(tasks, fold)
        for folder in folders:
            if task := by_path.get(fold(folder)):
                raise UsageError(
                    f"{task.source} would become {task.target}, which is also a folder of results", RENAME_HINT
                )


def _may_collide(tasks: Sequence[Task], folders: Iterable[str], fold: Callable[[str], str]) -> bool:
    """Compare hashes only: for millions of targets this takes a fraction of the memory of their names."""
    hashes = {hash(fold(task.target)) for task in tasks}
    return len(hashes) < len(tasks) or not hashes.isdisjoint(hash(fold(folder)) for folder in folders)


def _check_equal_targets(tasks: Sequence[Task], fold: Callable[[str], str]) -> dict[str, Task]:
    """Return the task of each folded target; raise `UsageError` if two are equal."""
    by_path: dict[str, Task] = {}
    collisions = [(other, task) for task in tasks if (other := by_path.setdefault(fold(task.target), task)) is not task]
    if collisions:
        more = f", and {len(collisions) - 1:,} more like it" if len(collisions) > 1 else ""
        raise UsageError(_describe_collision(*collisions[0]) + more, RENAME_HINT)
    return by_path


def _describe_collision(one: Task, other: Task) -> str:
    if one.target == other.target:
        return f"{one.source} and {other.source} would both become {other.target}"
    return f"{one.target} and {other.target} would be the same file: the output's file system ignores case"


def _check_overwriting(
    tasks: Sequence[Task], folders: AbstractSet[str], source_links: AbstractSet[str], fold: Callable[[str], str]
) -> None:
    """Raise `UsageError` if a target is an input, also where a link in the output folder leads to it."""
    target_links = {link for folder in folders for link in _links(folder)}
    source_folders = {os.path.dirname(task.source) for task in tasks}
    folders_of_sources = set(map(fold, _real_folders(source_folders, source_links)))
    if folders_of_sources.isdisjoint(map(fold, _real_folders(folders, target_links))):
        return
    sources = set(map(fold, _real_paths((task.source for task in tasks), source_links)))
    targets = _real_paths((task.target for task in tasks), target_links)
    for task, target in zip(tasks, targets, strict=True):
        if fold(target) in sources:
            raise UsageError(f"the result of {task.source} would replace an input: {task.target}", OTHER_OUTPUT_HINT)


def _links(folder: str) -> list[str]:
    """Return the links in a folder; none if it cannot be listed."""
    try:
        with os.scandir(openable(folder)) as entries:
            return [plain(entry.path) for entry in entries if entry.is_symlink()]
    except OSError:
        return []


def _real_folders(folders: Iterable[str], links: Iterable[str]) -> set[str]:
    """Resolve the folders, and add the folders of the files that the links lead to."""
    return {*map(os.path.realpath, folders), *(os.path.dirname(os.path.realpath(link)) for link in links)}


def _real_paths(paths: Iterable[str], links: AbstractSet[str]) -> Iterator[str]:
    """Resolve paths, each folder once; the paths in `links` are links themselves."""
    real_folder = functools.cache(os.path.realpath)
    for path in paths:
        folder, name = os.path.split(path)
        yield os.path.realpath(path) if path in links else os.path.join(real_folder(folder), name)
