"""``NAME:key=value,key=value``: how the command line writes a filter or an output format."""

from imgpool.core.errors import RecipeError


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """Split ``gaussian:sigma=2,truncate=3`` into its name and its parameters, as texts.

    Raises
    ------
    RecipeError
        If the name is missing, a parameter has no value, or one is given twice.

    Examples
    --------
    >>> parse_spec("gaussian:sigma=0.65um,truncate=3")
    ('gaussian', {'sigma': '0.65um', 'truncate': '3'})
    """
    name, _, rest = text.partition(":")
    name = name.strip()
    if not name:
        raise RecipeError(f"{text!r} does not begin with a name", "write NAME:parameter=value,parameter=value")
    parameters: dict[str, str] = {}
    for part in rest.split(",") if rest.strip() else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise RecipeError(
                f"{text!r}: {part.strip()!r} is no parameter", f"write {name}:parameter=value,parameter=value"
            )
        if key in parameters:
            raise RecipeError(f"{text!r} gives {key} twice", "give it once")
        parameters[key] = value
    return name, parameters
