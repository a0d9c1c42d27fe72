"""Which modules to import before workers are forked, so that every worker has them from the start."""

from collections.abc import Iterable

from imgpool.core.catalogue import FILTERS, split_extension
from imgpool.core.recipe import Recipe
from imgpool.core.task import Task


def modules_for(recipe: Recipe, tasks: Iterable[Task]) -> tuple[str, ...]:
    """Return the modules that a run needs in its workers: those of the filters, and of the formats of the tasks."""
    filters = [FILTERS[step.filter] for step in recipe.steps]
    filter_modules = (filter_.function.__module__ for filter_ in filters)
    libraries = (library for filter_ in filters for library in filter_.libraries)
    names = ("imgpool.work.preload_worker", *filter_modules, *libraries, *modules_of_formats(tasks))
    return tuple(dict.fromkeys(names))


def modules_of_formats(tasks: Iterable[Task]) -> tuple[str, ...]:
    """Return the modules needed to read the sources and write the targets of tasks."""
    extensions = {path.rpartition(".")[2] for task in tasks for path in (task.source, task.target)}
    formats = {format_ for extension in extensions if (format_ := split_extension(f"_.{extension}")[1])}
    ordered = sorted(formats, key=lambda format_: format_.name)
    return tuple(library for format_ in ordered for library in format_.libraries)
