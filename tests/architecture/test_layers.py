"""The shape of the house: who imports whom, what is imported late, what is explained, how long files are."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import imgpool

ROOT = Path(imgpool.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAYERS = (
    "core", "system", "formats", "models", "filters", "engines", "work", "output", "batch",
    "calibration", "compare", "report", "plugins", "testing", "api", "cli",
)  # fmt: skip
FLOORS = {name: number for number, name in enumerate(LAYERS)}
ENTRIES = {"imgpool", "imgpool.__main__"}  # the doors: they open onto any floor
HEAVY = {"cv2", "skimage", "scipy", "tifffile", "imagecodecs", "PIL", "psutil"}
CORE_MAY_IMPORT = {"numpy", "pydantic", "pydantic_core", "yaml"}
MAX_LINES = 350


class Import(NamedTuple):
    """One imported module, and whether importing the file imports it."""

    module: str
    at_once: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(tree: ast.AST, known: set[str]) -> Iterator[Import]:
    """Every import in a file; `from package import module` names the module where `known` has it."""
    yield from _imports(tree, known, at_once=True)


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


def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def own_imports(module: str) -> list[Import]:
    return [each for each in imports(parsed(module), set(MODULES)) if each.module.partition(".")[0] == "imgpool"]


def floor_of(module: str) -> str:
    return module.split(".")[1]


def may_import(importer: str, imported: str) -> bool:
    """Whether one module may import another: of its own part of the house, or of a floor below."""
    if imported in {"imgpool", "imgpool._version"}:
        return imported == "imgpool._version"
    mine, other = floor_of(importer), floor_of(imported)
    return mine == other or FLOORS[other] < FLOORS[mine]


def owner_of(module: str) -> str | None:
    """The package that a private module belongs to; None for a public one."""
    parts = module.split(".")
    for depth, part in enumerate(parts[1:], 1):
        if part.startswith("_"):
            return ".".join(parts[:depth])
    return None


def is_private_to_others(importer: str, imported: str) -> bool:
    owner = owner_of(imported)
    return owner not in {None, "imgpool"} and not f"{importer}.".startswith(f"{owner}.")


INNER = sorted(set(MODULES) - ENTRIES - {"imgpool._version"})


def test_every_module_stands_on_a_known_floor():
    assert len(MODULES) > 30
    assert {floor_of(module) for module in INNER} - {"recipes"} <= set(FLOORS)


@pytest.mark.parametrize("module", INNER)
def test_no_import_runs_up_or_sideways(module):
    wrong = [each.module for each in own_imports(module) if not may_import(module, each.module)]
    assert not wrong


@pytest.mark.parametrize("module", INNER)
def test_no_import_reaches_into_the_private_modules_of_another_package(module):
    assert not [each.module for each in own_imports(module) if is_private_to_others(module, each.module)]


@pytest.mark.parametrize("module", [module for module in INNER if floor_of(module) == "core"])
def test_the_ground_floor_stands_on_little(module):
    found = {each.module.partition(".")[0] for each in imports(parsed(module), set(MODULES))}
    assert found <= CORE_MAY_IMPORT | sys.stdlib_module_names | {"imgpool"}


@pytest.mark.parametrize("module", INNER)
def test_heavy_libraries_are_imported_where_they_are_used(module):
    at_once = {each.module.partition(".")[0] for each in imports(parsed(module), set(MODULES)) if each.at_once}
    assert not at_once & HEAVY
    assert "rich" not in at_once or floor_of(module) == "report"


def test_no_imports_run_in_a_circle():
    graph = {
        module: {each.module for each in own_imports(module) if each.at_once and each.module != module}
        for module in MODULES
    }
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(MODULES) <= set(order)


def unexplained(tree: ast.Module, name: str) -> list[str]:
    """The public module, classes, functions and methods that have no docstring."""
    missing = [] if ast.get_docstring(tree) else [name]
    pending: list[tuple[str, ast.AST]] = [(name, tree)]
    while pending:
        above, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                inner = f"{above}.{child.name}"
                overload = any(ast.unparse(decorator) == "overload" for decorator in child.decorator_list)
                missing += [] if ast.get_docstring(child) or overload else [inner]
                if isinstance(child, ast.ClassDef):
                    pending.append((inner, child))
    return missing


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_explained(module):
    assert unexplained(parsed(module), module) == []


@pytest.mark.parametrize("module", MODULES)
def test_files_can_be_read_in_one_sitting(module):
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= MAX_LINES


SAMPLE = '''
"""A module."""
import numpy as np
from imgpool.core import axes
from imgpool.work.files import read
if TYPE_CHECKING:
    from imgpool.cli import main
class Thing:
    import cv2
    def explained(self):
        """Yes."""
        import scipy.ndimage
    def silent(self): ...
    def _private(self): ...
'''


def test_these_tests_see_what_they_look_for():
    """A check that can find nothing would pass for ever."""
    tree = ast.parse(SAMPLE)
    assert list(imports(tree, {"imgpool.core.axes"})) == [
        ("numpy", True),
        ("imgpool.core.axes", True),
        ("imgpool.work.files", True),
        ("imgpool.cli", False),
        ("cv2", True),
        ("scipy.ndimage", False),
    ]
    assert unexplained(tree, "sample") == ["sample.Thing", "sample.Thing.silent"]
    assert not may_import("imgpool.core.image", "imgpool.work.files")
    assert not may_import("imgpool.formats.png", "imgpool.filters.edges")
    assert not may_import("imgpool.batch.run", "imgpool.report.tally")
    assert not may_import("imgpool.core.image", "imgpool")
    assert may_import("imgpool.report.overview", "imgpool.batch.run")
    assert may_import("imgpool.formats.png", "imgpool.formats._sniff")
