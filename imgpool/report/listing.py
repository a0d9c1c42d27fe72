"""The catalogue of filters, recipes and formats, as text and as JSON; generated from their code."""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rich.console import Console
from rich.table import Table

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import RecipeError
from imgpool.core.filter import Filter
from imgpool.core.format import Format
from imgpool.core.recipe import Recipe, built_in_recipes, format_name

TYPE_WORDS = {
    "Area": "area",
    "bool": "true or false",
    "float": "number",
    "Indices": "number, range or list",
    "int": "integer",
    "Length": "length",
    "ModelReference": "model name or path",
    "Range": "range",
    "Reference": "file",
    "str": "text",
}
"""What the types of parameters are called in tables."""

LIMIT_WORDS = {"≥": "at least", ">": "above", "≤": "at most", "<": "below"}


def filters_json() -> list[dict[str, Any]]:
    """Describe all filters."""
    return [_filter_json(filter_) for filter_ in FILTERS]


def filter_json(name: str) -> dict[str, Any]:
    """Describe one filter; raise `RecipeError` if it does not exist."""
    return _filter_json(FILTERS[name])


def filters_text() -> str:
    """Return a table with one line for each filter."""
    rows = ([filter_.name, filter_.summary] for filter_ in FILTERS)
    return f"{format_table(rows)}\n\n`imgpool filters NAME` describes a filter; -f NAME:parameter=value applies it."


def filter_text(name: str) -> str:
    """Return a filter's documentation and parameters; raise `RecipeError` if it does not exist."""
    filter_ = FILTERS[name]
    tiles = {
        "exact": "processing in tiles gives the same result",
        "near": "processing in tiles gives nearly the same result",
        "no": "not possible, the filter needs the whole image",
    }
    return "\n\n".join(
        [f"{name}: {filter_.help}", _parameter_table(filter_.describe()), f"Tiles: {tiles[filter_.tiles]}."]
    )


def recipes_json() -> list[dict[str, Any]]:
    """Describe all built-in recipes."""
    return [recipe_json(name) for name in built_in_recipes()]


def recipe_json(name: str) -> dict[str, Any]:
    """Describe a recipe, given by its name or as the path of a file; raise `RecipeError` if it is invalid."""
    recipe = Recipe.load(name)
    return {
        "name": recipe.name,
        "description": recipe.description,
        "steps": [{step.filter: dict(step.parameters)} for step in recipe.steps],
        "output": {"format": recipe.output.format, **recipe.output.options},
        "pixel_size": recipe.pixel_size and f"{recipe.pixel_size.x}um",
        "fingerprint": _fingerprint(recipe),
    }


def recipes_text() -> str:
    """Return a table with one line for each built-in recipe."""
    rows = ([name, Recipe.load(name).description] for name in built_in_recipes())
    return f"{format_table(rows)}\n\n`imgpool recipes NAME` prints a recipe as YAML, to save and change."


def recipe_text(name: str) -> str:
    """Return a recipe as YAML; raise `RecipeError` if it is invalid."""
    Recipe.load(name)
    if name in built_in_recipes():
        return (resources.files("imgpool.recipes") / f"{name}.yaml").read_text("utf-8").rstrip()
    with open(name, encoding="utf-8") as file:
        return file.read().rstrip()


def formats_json() -> list[dict[str, Any]]:
    """Describe all formats."""
    return [_format_json(format_) for format_ in FORMATS]


def format_json(name: str) -> dict[str, Any]:
    """Describe one format, by name or extension; raise `RecipeError` if it does not exist."""
    return _format_json(FORMATS[format_name(name)])


def formats_text() -> str:
    """Return a table with one line for each format."""
    rows = ([format_.name, " ".join(format_.extensions), format_.holds] for format_ in FORMATS)
    return f"{format_table(rows)}\n\n`imgpool formats NAME` describes a format; --to NAME:option=value converts to it."


def format_text(name: str) -> str:
    """Return a format's documentation and options; raise `RecipeError` if it does not exist."""
    format_ = FORMATS[format_name(name)]
    facts = f"Extensions: {' '.join(format_.extensions)}\nHolds: {format_.holds}"
    return "\n\n".join(
        part for part in (f"{format_.name}: {format_.help}", facts, _parameter_table(format_.describe())) if part
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """The functions that list a part of the catalogue: all entries or one, as text or as JSON values."""

    all_text: Callable[[], str]
    one_text: Callable[[str], str]
    all_json: Callable[[], list[dict[str, Any]]]
    one_json: Callable[[str], dict[str, Any]]


LISTINGS = {
    "filters": Listing(filters_text, filter_text, filters_json, filter_json),
    "recipes": Listing(recipes_text, recipe_text, recipes_json, recipe_json),
    "formats": Listing(formats_text, format_text, formats_json, format_json),
}


def _fingerprint(recipe: Recipe) -> str | None:
    """Fingerprint of a recipe; None if it depends on a model runtime that is not installed."""
    try:
        return recipe.fingerprint()
    except RecipeError:
        return None


def _filter_json(filter_: Filter) -> dict[str, Any]:
    return {
        "name": filter_.name,
        "summary": filter_.summary,
        "parameters": filter_.describe(),
        "tiles": filter_.tiles,
        "help": filter_.help,
    }


def _format_json(format_: Format) -> dict[str, Any]:
    return {
        "name": format_.name,
        "summary": format_.summary,
        "extensions": list(format_.extensions),
        "holds": format_.holds,
        "lossy": format_.lossy,
        "options": format_.describe(),
    }


def _parameter_table(described: list[dict[str, Any]]) -> str:
    rows = [[each["name"], _values_text(each), _default_text(each)] for each in described]
    return format_table(rows) if rows else ""


def _values_text(parameter: Mapping[str, Any]) -> str:
    """Describe the values of a parameter: "integer from 0 to 9", "length, above 0"."""
    types = parameter["type"]
    if parameter["default"] is None:
        types = types.removesuffix(" | none")
    words = " | ".join(TYPE_WORDS.get(name, name) for name in types.split(" | "))
    limits = dict(limit.split(" ", 1) for limit in parameter["range"].split(", ") if limit)  # the last one is narrowest
    if limits.keys() == {"≥", "≤"}:
        return f"{words} from {limits['≥']} to {limits['≤']}"
    return ", ".join([words, *(f"{LIMIT_WORDS[symbol]} {value}" for symbol, value in limits.items())])


def _default_text(parameter: Mapping[str, Any]) -> str:
    if parameter["required"]:
        return "required"
    default = parameter["default"]
    if default is None:
        return "optional"
    return f"default {str(default).lower() if isinstance(default, bool) else default}"


def format_table(rows: Iterable[list[str]]) -> str:
    """Format rows as a table with aligned columns, wrapped to the width of the terminal."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    text = io.StringIO()  # `Console.capture` writes to stdout, which may fail
    Console(file=text, width=Console().width, highlight=False, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())
