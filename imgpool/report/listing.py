"""The catalogue as text and as JSON: filters, recipes and formats, from what they say of themselves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rich.console import Console
from rich.table import Table

from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.filter import Filter
from imgpool.core.format import Format
from imgpool.core.recipe import Recipe, built_in_recipes, format_name


def filters_json() -> list[dict[str, Any]]:
    """Every filter."""
    return [_filter(filter_) for filter_ in FILTERS]


def filter_json(name: str) -> dict[str, Any]:
    """One filter; raises `RecipeError` where there is none of this name."""
    return _filter(FILTERS[name])


def filters_text() -> str:
    """A line for every filter."""
    rows = ([filter_.name, filter_.summary] for filter_ in FILTERS)
    return f"{columns(rows)}\n\n`imgpool filters NAME` explains one; -f NAME:parameter=value uses it."


def filter_text(name: str) -> str:
    """One filter's docstring and parameters; raises `RecipeError` where there is none of this name."""
    filter_ = FILTERS[name]
    tiles = {
        "exact": "computed in tiles, it gives the same result",
        "near": "computed in tiles, it gives nearly the same result",
        "no": "it needs the whole image",
    }
    return "\n\n".join([f"{name}: {filter_.help}", _parameters(filter_.describe()), f"Tiles: {tiles[filter_.tiles]}."])


def recipes_json() -> list[dict[str, Any]]:
    """Every built-in recipe."""
    return [recipe_json(name) for name in built_in_recipes()]


def recipe_json(name: str) -> dict[str, Any]:
    """One recipe, built in or a file; raises `RecipeError`."""
    recipe = Recipe.load(name)
    return {
        "name": recipe.name,
        "description": recipe.description,
        "steps": [{step.filter: dict(step.parameters)} for step in recipe.steps],
        "output": {"format": recipe.output.format, **recipe.output.options},
        "pixel_size": recipe.pixel_size and f"{recipe.pixel_size.x}um",
        "fingerprint": recipe.fingerprint(),
    }


def recipes_text() -> str:
    """A line for every built-in recipe."""
    rows = ([name, Recipe.load(name).description] for name in built_in_recipes())
    return f"{columns(rows)}\n\n`imgpool recipes NAME` prints one as a YAML file, to start your own from."


def recipe_text(name: str) -> str:
    """One recipe as YAML; raises `RecipeError`."""
    Recipe.load(name)
    if name in built_in_recipes():
        return (resources.files("imgpool.recipes") / f"{name}.yaml").read_text("utf-8").rstrip()
    with open(name, encoding="utf-8") as file:
        return file.read().rstrip()


def formats_json() -> list[dict[str, Any]]:
    """Every format."""
    return [_format(format_) for format_ in FORMATS]


def format_json(name: str) -> dict[str, Any]:
    """One format, by name or extension; raises `RecipeError` where there is none."""
    return _format(FORMATS[format_name(name)])


def formats_text() -> str:
    """A line for every format."""
    rows = ([format_.name, " ".join(format_.extensions), format_.holds] for format_ in FORMATS)
    return f"{columns(rows)}\n\n`imgpool formats NAME` explains one; --to NAME:option=value writes it."


def format_text(name: str) -> str:
    """One format's docstring and options; raises `RecipeError` where there is none."""
    format_ = FORMATS[format_name(name)]
    facts = f"Extensions: {' '.join(format_.extensions)}\nHolds: {format_.holds}"
    return "\n\n".join(
        part for part in (f"{format_.name}: {format_.help}", facts, _parameters(format_.describe())) if part
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """The four ways to show a kind of plug-in: all of them or one, as text or as JSON values."""

    all_text: Callable[[], str]
    one_text: Callable[[str], str]
    all_json: Callable[[], list[dict[str, Any]]]
    one_json: Callable[[str], dict[str, Any]]


LISTINGS = {
    "filters": Listing(filters_text, filter_text, filters_json, filter_json),
    "recipes": Listing(recipes_text, recipe_text, recipes_json, recipe_json),
    "formats": Listing(formats_text, format_text, formats_json, format_json),
}


def _filter(filter_: Filter) -> dict[str, Any]:
    return {
        "name": filter_.name,
        "summary": filter_.summary,
        "parameters": filter_.describe(),
        "tiles": filter_.tiles,
        "help": filter_.help,
    }


def _format(format_: Format) -> dict[str, Any]:
    return {
        "name": format_.name,
        "summary": format_.summary,
        "extensions": list(format_.extensions),
        "holds": format_.holds,
        "lossy": format_.lossy,
        "options": format_.describe(),
    }


def _parameters(described: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["name"],
            f"{each['type']} {each['range']}".strip(),
            "" if each["required"] else f"default {each['default']}",
        ]
        for each in described
    ]
    return columns(rows) if rows else ""


def columns(rows: Iterable[list[str]]) -> str:
    """Rows of text in aligned columns, wrapped to the terminal."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())
