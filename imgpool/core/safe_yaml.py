"""Safe YAML loading: plain data only, of a bounded size, and duplicate keys are errors.

A file of a few hundred bytes can expand to gigabytes, because an alias repeats what its anchor names, and what it names
can contain aliases. Therefore values are counted as if every alias were written out, before any of them is built.
"""

import re
from collections.abc import Hashable
from typing import Any, NoReturn

import yaml

from imgpool.core.errors import RecipeError
from imgpool.core.shorten import quote

MAX_CHARACTERS = 1 << 20
"""Longest text; recipes have a few hundred characters, descriptions of models some ten thousand."""

MAX_VALUES = 20_000
"""Most values, with aliases written out; a long text counts as one value for each `VALUE_CHARACTERS`."""

MAX_DEPTH = 50
"""Most mappings and lists inside each other; recipes need five."""

MAX_NUMBER_CHARACTERS = 100
"""Longest number; Python's integers have no bound."""

VALUE_CHARACTERS = 64

_MERGE_TAG = "tag:yaml.org,2002:merge"
_NUMBER_TAGS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


_PROBLEMS = {
    r"character '\\t'": ("a tab is used where only spaces are allowed", "indent with spaces"),
    "mapping values are not allowed": (
        "a colon is where no parameter can start",
        "indent all parameters of a step alike, and quote values that contain a colon",
    ),
    "could not determine a constructor": ("tags (!) are not allowed", "write plain values"),
    "could not find expected ':'": ("a colon is missing after a name", "write NAME: VALUE, with a space"),
    "expected ',' or|expected the node content|expected '<document start>'": (
        "a bracket has no other half",
        "check the brackets up to this line",
    ),
    "expected <block end>": ("a line is not indented like those before it", "indent it like its neighbours"),
    "unexpected end of stream": ("a quote is never closed", "close it"),
    "another document": ("there is a second document (---)", "write one recipe per file"),
    "undefined alias": ("an alias (*) refers to nothing", "quote values that start with *"),
    "cannot start any token": ("a value starts with a special character", "quote the value"),
    "unknown escape character": ("a backslash has no meaning there", "use single quotes for the value"),
}
"""What is wrong and what to do, by a part of the text in which PyYAML describes a problem."""

SMALLER_FILE = "write a smaller file"
CHECK_LINE = "check indentation, colons, brackets and quotes there"


class _Loader(yaml.SafeLoader):
    """A safe loader with limits, which refuses duplicate keys where PyYAML's own silently takes the last value."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = 0
        self._depth = 0
        self._values_of_anchors: dict[str, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Parse one value, after checking the limits."""
        peek_event: Any = self.peek_event  # PyYAML has no types
        event = peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._count(self._values_of_anchors.get(str(event.anchor), 0), event)
            return super().compose_node(parent, index)
        before = self._values
        if event.anchor:
            self._values_of_anchors[event.anchor] = MAX_VALUES + 1  # until it is complete: it must not contain itself
        self._count(1 + len(getattr(event, "value", "")) // VALUE_CHARACTERS, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _refuse(f"it is nested more than {MAX_DEPTH} levels deep", event)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBER_TAGS and len(node.value) > MAX_NUMBER_CHARACTERS:
            _refuse(f"a number has {len(node.value):,} characters", event)
        if event.anchor:
            self._values_of_anchors[event.anchor] = self._values - before
        return node

    def _count(self, values: int, event: Any) -> None:  # noqa: ANN401 - PyYAML has no types
        if values > MAX_VALUES and isinstance(event, yaml.AliasEvent):
            _refuse(f"the alias *{event.anchor} is part of what it refers to", event, "write the values out instead")
        self._values += values
        if self._values > MAX_VALUES:
            _refuse(f"it has more than {MAX_VALUES:,} values, counting what aliases repeat", event)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Build a dictionary; raise an error for a key that appears twice."""
        seen: set[Hashable] = set()
        for key_node in (key for key, _ in node.value if key.tag != _MERGE_TAG):
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):  # the safe loader itself refuses the others
                if key in seen:
                    problem = f"the key {quote(key)} appears twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - YAML can hold anything
    """Parse YAML text.

    Raises
    ------
    RecipeError
        If the text is not valid YAML, contains anything but plain data, or is too large; the message names the line.
    """
    if len(text) > MAX_CHARACTERS:
        problem = f"it has {len(text):,} characters, more than the {MAX_CHARACTERS:,} that are allowed"
        raise RecipeError(problem, SMALLER_FILE)
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        problem, hint = _explain_problem(error.problem or "")
        raise RecipeError(f"not valid YAML{line}" + (f": {problem}" if problem else ""), hint) from error
    except yaml.YAMLError as error:
        raise RecipeError("not valid YAML: it contains a control character", "remove it, and save as UTF-8") from error
    except RecursionError:
        raise RecipeError("not valid YAML: it is nested too deeply", "write fewer brackets") from None
    except ValueError as error:  # for example a date that does not exist
        raise RecipeError(f"not valid YAML: {error}", "quote values that are no number or date") from error


def _explain_problem(problem: str) -> tuple[str, str]:
    """Return what is wrong, if it can be said simply, and what to do, for a problem in the words of PyYAML."""
    for pattern, explanation in _PROBLEMS.items():
        if re.search(pattern, problem):
            return explanation
    return (problem, "give each key once") if "appears twice" in problem else ("", CHECK_LINE)


def _refuse(problem: str, event: Any, hint: str = SMALLER_FILE) -> NoReturn:  # noqa: ANN401 - PyYAML has no types
    raise RecipeError(f"line {event.start_mark.line + 1}: {problem}", hint)
