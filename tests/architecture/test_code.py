"""How the code is written: explained, in small pieces, in plain words."""

import ast
import re

import pytest

from tests.support.source import (
    MODULES,
    PACKAGE,
    ROOT,
    Function,
    body_lines,
    complexity,
    functions,
    numbered_lines,
    parse,
    positional_parameters,
    python_files,
    shown,
    strings,
    text,
)

MAX_FILE_LINES = 350
MAX_BODY_LINES = 40
MAX_COMPLEXITY = 10
MAX_POSITIONAL = 5
MAX_TEST_NAME = 60

FORMER_NAMES = {
    "acquit", "barren", "collapse", "crew", "deaf", "desk", "ear", "farewell", "keeper", "leant", "ledger", "loner",
    "loners", "meter", "mouth", "notice", "pace", "parting", "patience", "said", "tenure", "told", "tongue", "unheard",
    "workbench", "workshop",
}  # fmt: skip
"""Words of names that have been replaced by standard terms."""

FORMER_CONSTANTS = {"breath", "crowd", "least", "longest", "most", "room", "worth"}
"""Words that constants had instead of MIN, MAX or TIMEOUT."""

FORMER_MODULES = {"apart", "early", "footprint", "garbage", "meter", "moments", "trial", "warm"}
"""Words of modules that have been renamed."""

FORMER_PHRASES = (
    "acquit", "by which end", "hand over of", "heed", "in hand", "in the box", "lean on", "leans on", "ledger", "lest",
    "so many times as", r"stands in(?! the way)", "tell what", "what it is told", "workshop",
)  # fmt: skip
"""Phrases of docstrings, comments and messages that needed a second reading."""

FLAG = re.compile(r"(^|[\s\"'`(,])(--[a-z][a-z-]+|-[a-z](?=[\s)\],;:`]|$))")
MAY_NAME_FLAGS = ("cli", "report")
FOREIGN_COMMANDS = re.compile(r"pip install [^`]*|git [a-z-]+ [^`]*|ulimit -[a-z]")


def names_of(tree):
    """Every name that a file defines, with its line: classes, functions, parameters, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def words_of(name):
    """The words of a name in snake case or camel case, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def former_names(tree):
    """Names that contain a replaced word, with their lines."""
    for name, line in names_of(tree):
        replaced = FORMER_NAMES | (FORMER_CONSTANTS if name.isupper() else set())
        if words_of(name) & replaced:
            yield name, line


def flags_of(words):
    """The command-line options that a text mentions."""
    return [match[2] for match in FLAG.finditer(FOREIGN_COMMANDS.sub("", words))]


def undocumented(tree, name):
    """The public module, classes, functions and methods that have no docstring."""
    missing = [] if ast.get_docstring(tree) else [name]
    pending = [(name, tree)]
    while pending:
        above, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | Function) and child.name[0] != "_":
                inner = f"{above}.{child.name}"
                overload = any(ast.unparse(decorator) == "overload" for decorator in child.decorator_list)
                missing += [] if ast.get_docstring(child) or overload else [inner]
                if isinstance(child, ast.ClassDef):
                    pending.append((inner, child))
    return missing


def too_large(measure, limit, *exempt):
    """The functions of the package of which a measure is above its limit."""
    return [
        f"{shown(path, function.lineno)} {function.name}: {measure(function)}"
        for path in MODULES.values()
        if path.relative_to(PACKAGE).parts[0] not in exempt
        for function in functions(path)
        if measure(function) > limit
    ]


def timed_assertions(function):
    """The lines of assertions on time that has passed: on ``… - start``, or on ["seconds"] of two runs."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            words = ast.unparse(node.test)
            clock = re.search(r"(perf_counter|monotonic|time\.time|process_time)\(\) - ", words)
            if clock or re.search(r"\['seconds'\] [<>] .*\['seconds'\]", words):
                yield node.lineno


def test_everything_public_has_a_docstring():
    assert [name for module, path in MODULES.items() for name in undocumented(parse(path), module)] == []


def test_files_are_short():
    lengths = {shown(path): text(path).count("\n") for path in MODULES.values()}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short():
    assert too_large(body_lines, MAX_BODY_LINES, "cli") == []


def test_functions_are_simple():
    assert too_large(complexity, MAX_COMPLEXITY) == []


def test_functions_have_few_positional_parameters():
    assert too_large(lambda function: len(positional_parameters(function)), MAX_POSITIONAL) == []


def test_every_noqa_has_a_reason():
    lines = [(path, number, line) for path in python_files() for number, line in numbered_lines(path)]
    comments = [(path, number, line.partition("# no" + "qa")[2]) for path, number, line in lines]
    assert [shown(path, number) for path, number, rest in comments if rest and " - " not in rest] == []


def test_no_former_name_is_left():
    found = [f"{shown(path, line)} {name}" for path in python_files() for name, line in former_names(parse(path))]
    assert found == []


def test_no_module_has_a_former_name():
    replaced = FORMER_NAMES | FORMER_MODULES
    assert [module for module in MODULES if words_of(module.rpartition(".")[2]) & replaced] == []


def test_no_former_phrase_is_left():
    phrases = re.compile("|".join(rf"\b{phrase}\b" for phrase in FORMER_PHRASES), re.IGNORECASE)
    lines = [
        (path, number, line) for path in MODULES.values() for number, line in enumerate(text(path).splitlines(), 1)
    ]
    assert [f"{shown(path, number)} {line.strip()}" for path, number, line in lines if phrases.search(line)] == []


def test_no_option_is_named_below_the_command_line():
    lower = [path for path in MODULES.values() if path.relative_to(PACKAGE).parts[0] not in MAY_NAME_FLAGS]
    found = [(path, node) for path in lower for node in strings(path) if flags_of(node.value)]
    assert [f"{shown(path, node.lineno)} {node.value}" for path, node in found] == []


def test_no_test_asserts_on_time_that_has_passed():
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    assert [shown(path, line) for path in tests for line in timed_assertions(parse(path))] == []


def test_names_of_tests_are_short():
    tests = [*sorted((ROOT / "tests").rglob("test_*.py")), *sorted((PACKAGE / "testing").glob("*.py"))]
    names = [(path, each.name) for path in tests for each in functions(path) if each.name.startswith("test_")]
    assert [f"{shown(path)} {name}" for path, name in names if len(name) > MAX_TEST_NAME] == []


SAMPLE = '''
"""A module."""
MOST_BYTES = 3
class Desk:
    def documented(self):
        """Yes."""
    def silent(self, a, b, c, d, e, f): ...
    def _private(self):
        for x in a or b:
            if x and y: yield [z for z in x if z]
        assert time.monotonic() - start < 5
'''


def test_offences_of_a_sample_are_found():
    tree = ast.parse(SAMPLE)
    assert undocumented(tree, "sample") == ["sample.Desk", "sample.Desk.silent"]
    assert {name for name, _ in former_names(tree)} == {"MOST_BYTES", "Desk"}
    _, silent, private = [node for node in ast.walk(tree) if isinstance(node, Function)]
    assert len(positional_parameters(silent)) == 6
    assert (complexity(private), body_lines(private)) == (8, 3)
    assert list(timed_assertions(private)) == [11]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("add --to tiff", ["--to"]),
        ("--max-memory: no size", ["--max-memory"]),
        ("write -f gaussian:sigma=2", ["-f"]),
        ("use fewer workers (-j)", ["-j"]),
        ("pip install --upgrade imgpool", []),
        ("a well-known filter - or none", []),
    ],
)
def test_options_in_messages_are_found(words, options):
    assert flags_of(words) == options
