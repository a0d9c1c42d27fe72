"""Safe YAML loading: plain data only, and duplicate keys are errors."""

from collections.abc import Hashable
from typing import Any

import yaml

from imgpool.core.errors import RecipeError

_MERGE_TAG = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys, where PyYAML's own silently takes the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Hashable] = set()
        for key_node in (key for key, _ in node.value if key.tag != _MERGE_TAG):
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):  # the safe loader itself refuses the others
                if key in seen:
                    problem = f"the key {key!r} appears twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:  # noqa: ANN401 - YAML can hold anything
    """Parse YAML text.

    Raises
    ------
    RecipeError
        If the text is not valid YAML or contains anything but plain data; the message names the line.
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
    except ValueError as error:  # for example a date that does not exist
        raise RecipeError(f"not valid YAML: {error}") from None
