"""Which module may import which, and when."""

import ast
import graphlib
import sys

from tests.support.source import MODULES, imports, module_imports, own_imports

LAYERS = (
    "core", "system", "formats", "models", "filters", "engines", "work", "output", "batch",
    "calibration", "compare", "report", "plugins", "testing", "api", "cli",
)  # fmt: skip
HEIGHTS = {name: height for height, name in enumerate(LAYERS)}
ENTRY_POINTS = {"imgpool", "imgpool.__main__"}  # they may import every layer
INNER = sorted(set(MODULES) - ENTRY_POINTS - {"imgpool._version"})
HEAVY = {"cv2", "skimage", "scipy", "tifffile", "imagecodecs", "PIL", "psutil"}
CORE_MAY_IMPORT = {"numpy", "pydantic", "pydantic_core", "yaml", "imgpool"}
PLUGINS_MAY_IMPORT = {"core", "formats", "filters", "engines"}


def layer_of(module):
    return module.split(".")[1]


def may_import(importer, imported):
    """Whether one module may import another: of its own layer, or of a lower one."""
    if imported in {"imgpool", "imgpool._version"}:
        return imported == "imgpool._version"
    mine, other = layer_of(importer), layer_of(imported)
    return mine == other or HEIGHTS[other] < HEIGHTS[mine]


def owner_of(module):
    """The package that a private module belongs to; None for a public module."""
    parts = module.split(".")
    for depth, part in enumerate(parts[1:], 1):
        if part.startswith("_"):
            return ".".join(parts[:depth])
    return None


def is_private_to_others(importer, imported):
    owner = owner_of(imported)
    return owner not in {None, "imgpool"} and not f"{importer}.".startswith(f"{owner}.")


def libraries(module):
    """The top-level packages that a module imports, and of them those that it imports at once."""
    found = module_imports(module)
    names = {each.module.partition(".")[0] for each in found}
    return names, {each.module.partition(".")[0] for each in found if each.at_once}


def cycles(graph):
    """The modules of one cycle; empty if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_every_module_belongs_to_a_layer():
    assert len(MODULES) > 30
    assert {layer_of(module) for module in INNER} <= set(LAYERS)


def test_no_module_imports_a_higher_layer():
    wrong = [f"{each} → {other.module}" for each in INNER for other in own_imports(each)
             if not may_import(each, other.module)]  # fmt: skip
    assert wrong == []


def test_no_module_imports_anothers_private_modules():
    wrong = [f"{each} → {other.module}" for each in INNER for other in own_imports(each)
             if is_private_to_others(each, other.module)]  # fmt: skip
    assert wrong == []


def test_no_import_cycle():
    imported = {module: {other.module for other in own_imports(module) if other.at_once} for module in MODULES}
    assert cycles({module: others - {module} for module, others in imported.items()}) == []


def test_packages_do_not_import_each_other():
    graph = {layer: set() for layer in LAYERS}
    for module in INNER:
        graph[layer_of(module)] |= {layer_of(other.module) for other in own_imports(module) if "." in other.module}
    assert cycles({layer: others & set(LAYERS) - {layer} for layer, others in graph.items()}) == []


def test_core_imports_few_libraries():
    allowed = CORE_MAY_IMPORT | sys.stdlib_module_names
    wrong = {module: libraries(module)[0] - allowed for module in INNER if layer_of(module) == "core"}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_plugins_import_no_orchestration():
    imported = {layer_of(other.module) for other in own_imports("imgpool.plugins")}
    assert imported <= PLUGINS_MAY_IMPORT


def test_only_the_contracts_import_pytest():
    wrong = [module for module in MODULES if "pytest" in libraries(module)[0] and layer_of(f"{module}.") != "testing"]
    assert wrong == []
    assert "pytest" not in libraries("imgpool.testing")[1]
    assert "pytest" not in libraries("imgpool.testing.engine_functions")[0]


def test_heavy_libraries_are_imported_late():
    wrong = {module: libraries(module)[1] & HEAVY for module in INNER}
    assert {module: names for module, names in wrong.items() if names} == {}


def test_only_the_report_imports_rich_at_once():
    assert [module for module in INNER if "rich" in libraries(module)[1] and layer_of(module) != "report"] == []


SAMPLE = """
import numpy as np
from imgpool.core import axes
from imgpool.work.files import read
if TYPE_CHECKING:
    from imgpool.cli import main
class Thing:
    import cv2
    def method(self):
        import scipy.ndimage
"""


def test_imports_of_a_sample_are_found():
    assert list(imports(ast.parse(SAMPLE), {"imgpool.core.axes"})) == [
        ("numpy", True),
        ("imgpool.core.axes", True),
        ("imgpool.work.files", True),
        ("imgpool.cli", False),
        ("cv2", True),
        ("scipy.ndimage", False),
    ]


def test_forbidden_imports_of_a_sample_are_found():
    assert not may_import("imgpool.core.image", "imgpool.work.files")
    assert not may_import("imgpool.formats.png", "imgpool.filters.edges")
    assert not may_import("imgpool.batch.run", "imgpool.report.tally")
    assert not may_import("imgpool.core.image", "imgpool")
    assert may_import("imgpool.report.overview", "imgpool.batch.run")
    assert may_import("imgpool.formats.png", "imgpool.formats._sniff")
    assert is_private_to_others("imgpool.filters.edges", "imgpool.formats._sniff")
    assert not is_private_to_others("imgpool.formats.png", "imgpool.formats._sniff")
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not cycles({"a": {"b", "c"}, "b": {"c"}})
