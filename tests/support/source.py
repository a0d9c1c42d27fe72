"""The source code of the repository, parsed once for all tests that check it."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import imgpool

ROOT = Path(imgpool.__file__).parents[1]
PACKAGE = ROOT / "imgpool"
FOLDERS = ("imgpool", "tests", "benchmarks", "training", "docs", "sample_images")

Function = ast.FunctionDef | ast.AsyncFunctionDef
DECISIONS = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)


def module_name(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
"""The path of every module of the package, by its name."""


def python_files() -> list[Path]:
    """Every Python file of the repository."""
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@functools.cache
def text(path: Path) -> str:
    """The text of a file."""
    return path.read_text("utf-8")


@functools.cache
def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a file with their numbers, from 1."""
    return list(enumerate(text(path).splitlines(), 1))


@functools.cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(text(path))


def shown(path: Path, line: int = 0) -> str:
    """A place in the code, for the message of a failed test."""
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


class Import(NamedTuple):
    """One imported module, and whether importing the file imports it."""

    module: str
    at_once: bool


def imports(tree: ast.AST, known: set[str]) -> Iterator[Import]:
    """Yield every import in a file; `from package import module` names the module where `known` has it."""
    yield from _imports(tree, known, at_once=True)


@functools.cache
def module_imports(module: str) -> list[Import]:
    """Every import of a module of the package."""
    return list(imports(parse(MODULES[module]), set(MODULES)))


def own_imports(module: str) -> list[Import]:
    """The imports of a module that are modules of the package."""
    return [each for each in module_imports(module) if each.module.partition(".")[0] == "imgpool"]


def _imports(node: ast.AST, known: set[str], *, at_once: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, at_once) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield Import(inner if inner in known else str(node.module), at_once)
    later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_for_types(node)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, known, at_once=at_once and not later)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def functions(path: Path) -> Iterator[Function]:
    """Yield every function and method of a file, inner ones too."""
    yield from (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    """Count the lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def positional_parameters(function: Function) -> list[str]:
    """The names of the parameters that can be given by position, without self and cls."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return [name for name in names if name not in {"self", "cls"}]


def complexity(function: Function) -> int:
    """The cyclomatic complexity as radon counts it, with each comprehension and each operand of `and` and `or`."""
    return 1 + sum(_decisions(node) for node in _own_nodes(function))


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions, classes and assertions in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Assert):
            pending.extend(ast.iter_child_nodes(node))


def _decisions(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.Try):
        return bool(node.orelse) + isinstance(node, ast.For | ast.AsyncFor | ast.While)
    return isinstance(node, DECISIONS)


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of the nodes that are docstrings, or texts below a name that explain it."""
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def strings(path: Path) -> Iterator[ast.Constant]:
    """Yield every string literal of a file, parts of f-strings too, but no docstring."""
    tree = parse(path)
    explanations = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explanations:
            yield node
