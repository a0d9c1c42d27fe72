"""YAML, safely: plain data only, and no key twice."""

from typing import Any

import yaml

from imgpool.core.errors import RecipeError

MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader takes the last of two equal keys without a word; this one refuses."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        nodes = [key for key, _ in node.value if key.tag != MERGE]
        keys = [self.construct_object(key, deep=True) for key in nodes]
        for key, key_node in zip(keys, nodes, strict=True):
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
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
