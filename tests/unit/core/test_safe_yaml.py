"""YAML that is not valid: every message has a line and a remedy, in our own words."""

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.safe_yaml import load_yaml


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("steps: [median", " in line 1: a bracket has no other half", "check the brackets"),
        ("a: ]", " in line 1: a bracket has no other half", "check the brackets"),
        ("{a: 1}}", " in line 1: a bracket has no other half", "check the brackets"),
        ("a:\n\t- b", " in line 2: a tab is used", "indent with spaces"),
        ("a: b: c", " in line 1: a colon is where no parameter can start", "quote values"),
        ("a: !!python/name:os.system x", " in line 1: tags", "write plain values"),
        ("a\nb\nc: d", " in line 3: a colon is where", "indent"),
        ("- a\n - b\nc: d", " in line 3: a line is not indented", "indent it like"),
        ("a: 'x", " in line 1: a quote is never closed", "close it"),
        ("a: 1\n---\na: 2", " in line 2: there is a second document", "one recipe per file"),
        ("a: *x", " in line 1: an alias (*) refers to nothing", "quote values"),
        ("a: @x", " in line 1: a value starts with a special character", "quote the value"),
        ('a: "\\q"', " in line 1: a backslash has no meaning", "single quotes"),
        ("a: 1\na: 2", " in line 2: the key 'a' appears twice", "give each key once"),
        ("a: |x", " in line 1", "check indentation"),
        ("a: b\0c", ": it contains a control character", "remove it"),
        ("a: 2024-99-99", ": month must be in 1..12", "quote values"),
    ],
)
def test_invalid_yaml_has_a_line_and_a_remedy(text, message, hint):
    with pytest.raises(RecipeError) as caught:
        load_yaml(text)
    assert caught.value.message.startswith(f"not valid YAML{message}")
    assert hint in caught.value.hint
