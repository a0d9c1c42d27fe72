"""Recipes that would take much memory or time are refused in one sentence, while they are loaded."""

import os
import tracemalloc

import pytest

from imgpool.core.errors import RecipeError
from imgpool.core.recipe import Recipe
from imgpool.core.recipe_file import MAX_FILE_BYTES
from imgpool.core.safe_yaml import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, load_yaml

ALIASES = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
"""Under 500 bytes that expand to 400 million values."""

MERGES = "a: &m0 {k: v}\n" + "".join(f"b{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 9))

BOMBS = {
    "aliases": (ALIASES, "more than 20,000 values"),
    "merged aliases": (MERGES, "more than 20,000 values"),
    "recursive list": ("steps: &a [*a]", r"\*a is part of what it refers to"),
    "recursive mapping": ("steps: &a {gaussian: *a}", r"\*a is part of what it refers to"),
    "recursive top": ("&a {steps: [*a]}", r"\*a is part of what it refers to"),
    "deep flow": ("steps: " + "[" * 2000, "nested more than 50 levels"),
    "deep block": ("- " * 1000, "nested more than 50 levels"),
    "many values": ("steps: [" + "1," * 20_001 + "]", "more than 20,000 values"),
    "repeated text": ("a: &a " + "x" * 30_000 + "\nb: [" + "*a," * 100 + "]", "more than 20,000 values"),
    "decimal number": ("steps: " + "9" * 5000, "a number has 5,000 characters"),
    "hexadecimal number": ("steps: 0x" + "f" * 50_000, "a number has 50,002 characters"),
    "sexagesimal number": ("steps: " + "1:" * 20_000 + "1", "a number has 40,001 characters"),
    "duplicate key": ("steps: []\nsteps: []", "the key 'steps' appears twice"),
    "long text": ("#" * (MAX_CHARACTERS + 1), "1,048,577 characters"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_yaml_bomb_is_refused_while_loading(name):
    text, message = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(RecipeError, match=message) as caught:
            load_yaml(text)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_bomb_names_the_line():
    with pytest.raises(RecipeError, match="line 3: the alias"):
        load_yaml("name: x\nsteps:\n- &a [*a]\n")


def test_values_up_to_the_limits_are_loaded():
    assert len(load_yaml("[" + "1," * (MAX_VALUES - 1) + "]")) == MAX_VALUES - 1
    with pytest.raises(RecipeError, match="values"):
        load_yaml("[" + "1," * MAX_VALUES + "]")
    assert load_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(RecipeError, match="levels"):
        load_yaml("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_aliases_and_merges_still_work():
    text = "a: &a {sigma: 2}\nb: {<<: *a, truncate: 3}\nc: [*a, *a]\nd: *a"
    assert load_yaml(text) == {
        "a": {"sigma": 2}, "b": {"sigma": 2, "truncate": 3}, "c": [{"sigma": 2}] * 2, "d": {"sigma": 2},
    }  # fmt: skip


HUGE_STEPS = [
    ([1] * 10_000, "is not a step"),
    ({"gaussian": [1] * 10_000}, "must be a mapping"),
    ({"gaussian": {"sigma": "9" * 10_000}}, "sigma must be"),
    ({"gaussian": {"sigma": 10**5000}}, "sigma must be a length"),
    ({"gaussian": {"sigma": "1a" + " " * 500_000 + "x"}}, "sigma must be a length"),
    ("x" * 10_000 + ":y", "no filter is called"),
    ("gaussian:" + "x" * 10_000, "gaussian takes sigma"),
    ("gaussian" + ":," * 10_000, "empty parameter"),
    ("gaussian:" + "sigma=1," * 10_000, "sigma"),
    ({"gaussian": {"sigma": list(range(10_000))}}, "sigma must be"),
    ({"median": {"size": 10**5000}}, "size"),
    ({"median": {"size": "9" * 10_000}}, "size must be an integer"),
    ({"gaussian": {"x" * 10_000: 1}}, "has no parameter"),
    ({"x" * 10_000: {}}, "no filter is called"),
]


@pytest.mark.parametrize(("step", "message"), HUGE_STEPS, ids=range(len(HUGE_STEPS)))
def test_huge_value_is_not_repeated_in_the_message(step, message):
    with pytest.raises(RecipeError, match=message) as caught:
        Recipe.parse({"steps": [step]})
    assert len(str(caught.value)) < 1000


def test_file_beyond_the_limit_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES * 10_000)
    with pytest.raises(RecipeError, match="more than the 1,048,576 that are allowed"):
        Recipe.load(path)


def test_pipe_in_place_of_a_recipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(RecipeError, match="is not a regular file"):
        Recipe.load(tmp_path / "pipe.yaml")


def test_command_refuses_a_bomb_in_one_sentence(imgpool, tmp_path):
    (tmp_path / "bomb.yaml").write_text("steps:\n- gaussian: &a {sigma: *a}\n", "utf-8")
    run = imgpool("process", tmp_path, "-r", tmp_path / "bomb.yaml")
    assert run.code == 2
    assert "line 2: the alias *a is part of what it refers to" in " ".join(run.stderr.split())
    assert "write the values out instead" in run.stderr


@pytest.mark.parametrize("value", ["[" * 1000, "&a [*a]", "9" * 5000])
def test_values_on_the_command_line_have_the_same_limits(value):
    with pytest.raises(RecipeError, match="must be a number, boolean, text or list"):
        Recipe.from_specs([f"skimage.filters.sobel_h:mask={value}"])
