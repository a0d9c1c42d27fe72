"""What the process that workers are forked from imports beforehand, so that each of them has it at once."""

from imgpool.core.catalogue import FILTERS, split_extension
from imgpool.core.recipe import Recipe
from imgpool.core.task import Task


def modules_for(recipe: Recipe, tasks: list[Task]) -> tuple[str, ...]:
    """The modules that workers need: of the recipe's filters, and of the formats that are read and written."""
    filters = [FILTERS[step.filter] for step in recipe.steps]
    libraries = (library for filter_ in filters for library in filter_.libraries)
    homes = (filter_.function.__module__ for filter_ in filters)
    return tuple(dict.fromkeys(("imgpool.work.preload_worker", *homes, *libraries, *modules_of_formats(tasks))))


def modules_of_formats(tasks: list[Task]) -> tuple[str, ...]:
    """The modules that the formats need which are read and written."""
    extensions = {path.rpartition(".")[2] for task in tasks for path in (task.source, task.target)}
    formats = {format_ for extension in extensions if (format_ := split_extension(f"_.{extension}")[1])}
    ordered = sorted(formats, key=lambda format_: format_.name)
    return tuple(library for format_ in ordered for library in format_.libraries)
