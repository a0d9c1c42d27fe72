"""Validation of parameters against a function's signature, by pydantic.

Filters and the writers of formats declare their parameters as keyword-only parameters with types, ranges and defaults.
The command line, recipe files and the Python API are all validated against those signatures here.
"""

import difflib
import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from imgpool.core.errors import RecipeError
from imgpool.core.quantity import UpTo
from imgpool.core.shorten import quote, shorten


@dataclass(frozen=True, slots=True)
class Unbounded:
    """Metadata of a numeric parameter that needs no upper limit: ``Annotated[float, Unbounded("…")]``.

    Attributes
    ----------
    reason
        Why no value takes much memory or time.
    """

    reason: str


@functools.cache
def schema(function: Callable[..., Any]) -> type[pydantic.BaseModel]:
    """Return the pydantic model of the keyword-only parameters of a function or of a class's constructor."""
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
    """Validate `values` against the signature of `function` and add the defaults.

    Parameters
    ----------
    function
        A function with keyword-only parameters, or a class whose constructor has them.
    owner
        Its name in messages: "gaussian" or "jpeg".
    values
        Parameters by name; text is converted ("2" to 2.0, "0.65um" to a `Length`).
    kind
        The command that explains the parameters: "filters" or "formats".

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
    """Validate like `validate`, but return plain JSON values, which a recipe stores and its fingerprint hashes."""
    return _check(function, owner, values, kind).model_dump(mode="json")


def describe(function: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return name, type, range, default and meaning of each parameter as JSON values, for the catalogue's listing."""
    model = schema(function)
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    shown = model.model_construct(**defaults).model_dump(mode="json", warnings=False)
    meanings = _docstring_parameters(inspect.getdoc(function) or "")
    return [
        {
            "name": name,
            "type": _type_name(field.annotation),
            "range": ", ".join(filter(None, map(_describe_limit, limits_of(field)))),
            "default": shown.get(name),
            "required": field.is_required(),
            "meaning": meanings.get(name, ""),
        }
        for name, field in model.model_fields.items()
    ]


def suggest_name(name: str, known: typing.Iterable[str]) -> str:
    """Return the hint for an unknown name: the most similar known name, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"


def described_as(description: str) -> pydantic.WrapValidator:
    """Return a validator that replaces all errors of a type, such as one for each member of a union, by one sentence.

    Parameters
    ----------
    description
        The end of a sentence that begins with "must be".
    """

    def check(value: Any, check_type: pydantic.ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - any type
        try:
            return check_type(value)
        except pydantic.ValidationError:
            raise ValueError(f"must be {description}") from None

    return pydantic.WrapValidator(check)


def _check(function: Callable[..., Any], owner: str, values: Mapping[str, Any], kind: str) -> pydantic.BaseModel:
    model = schema(function)
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise _explain(error.errors(), owner, model, kind) from None


def _explain(problems: list[ErrorDetails], owner: str, model: type[pydantic.BaseModel], kind: str) -> RecipeError:
    """Describe pydantic's errors about the first invalid parameter in one sentence, with a remedy."""
    problem = problems[0]
    name = str(problem["loc"][0])
    see = f"see `imgpool {kind} {owner}`"
    if problem["type"] == "extra_forbidden":
        return RecipeError(f"{owner} has no parameter {quote(name)}", suggest_name(name, model.model_fields))
    if problem["type"] == "missing":
        return RecipeError(f"{owner} needs the parameter {name!r}", f"write {owner}:{name}=VALUE; {see}")
    reasons = dict.fromkeys(_reason(each) for each in problems if each["loc"][0] == problem["loc"][0])
    if all(reason.startswith("must be ") for reason in reasons):
        allowed = ", or ".join(reason.removeprefix("must be ") for reason in reasons)
        return RecipeError(f"{owner}: {name} must be {allowed}, not {shorten(problem['input'])}", see)
    return RecipeError(f"{owner}: {name}={shorten(problem['input'])}: {', or '.join(reasons)}", see)


_REASONS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be an integer",
    "int_parsing": "must be an integer",
    "int_parsing_size": "must be an integer",
    "int_type": "must be an integer",
    "string_type": "must be text",
}
"""Reasons by pydantic's type of error, where its own message is written for programmers."""


def _reason(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return _REASONS.get(problem["type"]) or re.sub(r"^Input should be ", "must be ", message)


def limits_of(field: FieldInfo) -> list[object]:
    """Return the limits of a parameter.

    Those of an optional parameter are inside its annotation: ``Annotated[int, Field(ge=1)] | None``.
    """
    nested = [item for part in typing.get_args(field.annotation) for item in getattr(part, "__metadata__", ())]
    return [*field.metadata, *(limit for item in nested for limit in getattr(item, "metadata", [item]))]


def _describe_limit(limit: object) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    if isinstance(limit, UpTo):
        return str(limit)
    return next((f"{sign} {getattr(limit, name)}" for name, sign in signs.items() if hasattr(limit, name)), "")


def has_upper_limit(field: FieldInfo) -> bool:
    """Whether a parameter has an upper limit, or a stated reason why it needs none."""
    return any(
        isinstance(each, UpTo | Unbounded) or hasattr(each, "le") or hasattr(each, "lt") for each in limits_of(field)
    )


def _type_name(annotation: Any) -> str:  # noqa: ANN401 - any annotation is possible
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(choice) for choice in typing.get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        return _type_name(typing.get_args(annotation)[0])
    if typing.get_args(annotation):
        return " | ".join(_type_name(part) for part in typing.get_args(annotation))
    return "none" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


def _docstring_parameters(text: str) -> dict[str, str]:
    """Return the entries of a numpydoc Parameters section, each joined into one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", text, re.MULTILINE | re.DOTALL)
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else []:
        if line and not line[0].isspace():
            names = [name.strip() for name in line.split(":")[0].split(",")]
        else:
            entries |= {name: f"{entries.get(name, '')} {line.strip()}".strip() for name in names}
    return entries
