"""The command line's notation for a filter or an output format: ``NAME:parameter=value,parameter=value``."""

from collections.abc import Callable
from typing import Any

from imgpool.core.errors import RecipeError
from imgpool.core.shorten import quote, shorten


def parse_spec(text: str, find_plugin: Callable[[str], Any] | None = None) -> tuple[str, dict[str, str]]:
    """Split ``gaussian:sigma=2,truncate=3`` into its name and its parameters, as text.

    Parameters
    ----------
    text
        The specification.
    find_plugin
        Returns the filter or format of a name, so that an error message can list its parameters. Names and values
        are not checked against it.

    Raises
    ------
    RecipeError
        If the name is missing, a parameter has no name or no value, or a parameter is given twice.

    Examples
    --------
    >>> parse_spec("gaussian:sigma=0.65um,truncate=3")
    ('gaussian', {'sigma': '0.65um', 'truncate': '3'})
    """
    name, _, rest = text.partition(":")
    name = name.strip()
    if not name:
        raise RecipeError(f"{quote(text)} does not start with a name", "write NAME:parameter=value,parameter=value")
    parameters: dict[str, str] = {}
    for part in rest.split(",") if rest.strip() else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise _explain_part(text, name, part.strip(), find_plugin)
        if key in parameters:
            raise RecipeError(f"{quote(text)} gives {shorten(key)} twice", "give it once")
        parameters[key] = value
    return name, parameters


def _explain_part(text: str, name: str, part: str, find_plugin: Callable[[str], Any] | None) -> RecipeError:
    """Explain why a part is not ``parameter=value``, if possible with an example that works."""
    if not part:
        return RecipeError(f"{quote(text)} has an empty parameter", "remove the extra comma")
    key, equals, value = (piece.strip() for piece in part.partition("="))
    plugin = find_plugin(name) if find_plugin else None
    names = _parameters(plugin) if plugin else []
    if (key and equals) or key in names:
        return RecipeError(
            f"{quote(text)}: the parameter {quote(key)} has no value", f"write {name}:{shorten(key)}=VALUE"
        )
    problem, example = _explain_value(name, value or key, plugin, names)
    return RecipeError(f"{quote(text)}: {problem}", f"write {example}")


def _parameters(plugin: Any) -> list[str]:  # noqa: ANN401 - a filter or a format
    """Return the names of all parameters, beginning with those of the examples: typical ones come first there."""
    examples = getattr(plugin, "examples", ())
    typical = [] if callable(examples) else [name for example in examples for name in example]
    names = [parameter["name"] for parameter in plugin.describe()]
    return [name for name in dict.fromkeys([*typical, *names]) if name in names]


def _explain_value(name: str, value: str, plugin: Any, parameters: list[str]) -> tuple[str, str]:  # noqa: ANN401 - a filter or a format
    """Describe a value without a parameter name, and give an example."""
    if not plugin:
        return f"{quote(value)} has no parameter name", f"{name}:parameter={shorten(value)}"
    if not parameters:
        return f"{name} takes no parameters", name
    return f"{name} takes {_list_words(parameters)}", _example(name, plugin, parameters, value)


def _example(name: str, plugin: Any, parameters: list[str], value: str) -> str:  # noqa: ANN401 - a filter or a format
    """Give the value to the first parameter that accepts it."""
    for parameter in parameters:
        try:
            plugin.validate({parameter: value})
        except RecipeError:
            continue
        return f"{name}:{parameter}={shorten(value)}"
    return f"{name}:{parameters[0]}=VALUE"


def _list_words(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
