"""YAML, safely: plain data only, and no key twice."""

from collections.abc import Hashable
from typing import Any

import yaml

from imgpool.core.errors import RecipeError

MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader takes the last of two equal keys without a word; this one refuses."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Hashable] = set()
        for key_node in (key for key, _ in node.value if key.tag != MERGE):
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):  # others are refused by the safe loader itself
                if key in seen:
                    problem = f"the key {key!r} stands twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - YAML can hold anything
    """The data in a YAML text.

    Raises
    ------
    RecipeError
        If it is not valid YAML, or asks for more than plain data; with the line.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RecipeError(f"not valid YAML{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"not valid YAML: {error}") from None
    except RecursionError:
        raise RecipeError("not valid YAML: it is nested too deeply") from None
    except ValueError as error:  # such as a date that no calendar has
        raise RecipeError(f"not valid YAML: {error}") from None
