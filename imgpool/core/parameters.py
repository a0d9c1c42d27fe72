"""A signature is a schema: the keyword parameters of a function, checked by pydantic.

Filters and the writers of formats take keyword parameters with types, ranges and defaults. The command
line, recipe files and the Python interface are all checked against those signatures, here.
"""

import difflib
import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from imgpool.core.errors import RecipeError


@functools.cache
def schema(function: Callable[..., Any]) -> type[pydantic.BaseModel]:
    """The pydantic model of a function's (or a class's constructor's) keyword-only parameters."""
    constructor = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(constructor, include_extras=True)
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    config = pydantic.ConfigDict(
        extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=()
    )
    return pydantic.create_model(function.__name__, __config__=config, **fields)


def validate(
    function: Callable[..., Any], owner: str, values: Mapping[str, Any], kind: str = "filters"
) -> dict[str, Any]:
    """Check `values` against the signature of `function`, and fill in the defaults.

    Parameters
    ----------
    function
        A function with keyword-only parameters, or a class whose constructor has them.
    owner
        What to call it in a message: "gaussian", or "jpeg".
    values
        Parameters by name; texts are converted ("2" to 2.0, "0.65um" to a `Length`).
    kind
        The command that explains it: "filters" or "formats".

    Returns
    -------
    dict
        Every parameter by name, converted.

    Raises
    ------
    RecipeError
        If a parameter is unknown, missing, of the wrong type or out of range.
    """
    model = _check(function, owner, values, kind)
    return {name: getattr(model, name) for name in type(model).model_fields}


def canonical(
    function: Callable[..., Any], owner: str, values: Mapping[str, Any], kind: str = "filters"
) -> dict[str, Any]:
    """As `validate`, but as plain JSON values: what a recipe stores and its fingerprint hashes."""
    return _check(function, owner, values, kind).model_dump(mode="json")


def describe(function: Callable[..., Any]) -> list[dict[str, Any]]:
    """Name, type, range, default and meaning of each parameter, as JSON values, for the catalogue's listing."""
    model = schema(function)
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    shown = model.model_construct(**defaults).model_dump(mode="json", warnings=False)
    meanings = _docstring_parameters(inspect.getdoc(function) or "")
    return [
        {
            "name": name,
            "type": _type_name(field.annotation),
            "range": ", ".join(filter(None, map(_bound, _constraints(field)))),
            "default": shown.get(name),
            "required": field.is_required(),
            "meaning": meanings.get(name, ""),
        }
        for name, field in model.model_fields.items()
    ]


def near_miss(name: str, known: typing.Iterable[str]) -> str:
    """The hint for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"


def _check(function: Callable[..., Any], owner: str, values: Mapping[str, Any], kind: str) -> pydantic.BaseModel:
    model = schema(function)
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise _explain(error.errors(), owner, model, kind) from None


def _explain(problems: list[ErrorDetails], owner: str, model: type[pydantic.BaseModel], kind: str) -> RecipeError:
    """Turn pydantic's complaints about the first bad parameter into one sentence with a remedy."""
    problem = problems[0]
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        return RecipeError(f"{owner} has no parameter {name!r}", near_miss(name, model.model_fields))
    if problem["type"] == "missing":
        return RecipeError(f"{owner} needs the parameter {name!r}", f"{owner}:{name}=…")
    reason = ", or ".join(_reason(each) for each in problems if each["loc"][0] == problem["loc"][0])
    return RecipeError(f"{owner}: {name}={problem['input']}: {reason}", f"`imgpool {kind} {owner}` explains it")


def _reason(problem: ErrorDetails) -> str:
    reason = problem["msg"].removeprefix("Value error, ")
    return re.sub(r"^Input should be ", "must be ", reason)


def _constraints(field: FieldInfo) -> list[object]:
    """What bounds a parameter, also an optional one: ``Annotated[int, Field(ge=1)] | None``."""
    inside = [each for part in typing.get_args(field.annotation) for each in getattr(part, "__metadata__", ())]
    return [*field.metadata, *(bound for each in inside for bound in getattr(each, "metadata", [each]))]


def _bound(bound: object) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    return next((f"{sign} {getattr(bound, name)}" for name, sign in signs.items() if hasattr(bound, name)), "")


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - any annotation can stand in a signature
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(choice) for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        return _type_name(typing.get_args(annotation)[0])
    if typing.get_args(annotation):
        return " | ".join(_type_name(part) for part in typing.get_args(annotation))
    return "none" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def _docstring_parameters(text: str) -> dict[str, str]:
    """The entries of a numpydoc Parameters section, each folded into one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", text, re.MULTILINE | re.DOTALL)
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else []:
        if line and not line[0].isspace():
            names = [name.strip() for name in line.split(":")[0].split(",")]
        else:
            entries |= {name: f"{entries.get(name, '')} {line.strip()}".strip() for name in names}
    return entries
