"""Only `imgpool.system` knows how operating systems differ."""

import ast
import re

import pytest

from tests.support.platforms import names
from tests.support.source import MODULES, PACKAGE, parse, shown, text

MISSING = {
    module: set(names.WINDOWS.get(module, "").split()) | set(names.MACOS.get(module, "").split())
    for module in names.WINDOWS
}
"""Names of the standard library that Windows or macOS lacks, by module."""

PLATFORM_MODULES = names.WINDOWS_MODULES | {"msvcrt", "nt", "platform", "winreg", "_winapi"}
"""Modules that only one system has, or that only serve to tell systems apart."""

PLATFORM_NAMES = {
    "sys": {"platform", "getwindowsversion"},
    "os": {"name", "O_BINARY", "startfile"},
    "ctypes": {"CDLL", "PyDLL", "WinDLL", "cdll", "pythonapi", "util", "windll"},
}
LINUX_PATHS = re.compile(r"^/(proc|sys|dev)(/|$)")
DIFFERENCES = {"getattr", "hasattr"}

ALLOWED = {
    "core/failures.py": {"winerror"},  # core lies below system; an error brings its number, no system is asked
}
"""Names that a file may use nevertheless, with the reason."""


def platform_uses(tree):
    """Yield each name, path or module by which a file depends on the system, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, node.lineno) for name in _imported(node))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            module = ast.unparse(node.value)
            if node.attr in MISSING.get(module, set()) | PLATFORM_NAMES.get(module, set()):
                yield f"{module}.{node.attr}", node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in DIFFERENCES:
            if ast.unparse(node.args[0]) in MISSING | PLATFORM_NAMES:
                yield ast.unparse(node), node.lineno
            elif isinstance(node.args[1], ast.Constant) and node.args[1].value == "winerror":
                yield "winerror", node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and LINUX_PATHS.match(node.value):
            yield node.value, node.lineno


def _imported(node):
    if isinstance(node, ast.Import):
        modules = {alias.name.partition(".")[0] for alias in node.names}
        return modules & PLATFORM_MODULES
    missing = MISSING.get(node.module, set()) | PLATFORM_NAMES.get(node.module, set())
    found = {alias.name for alias in node.names} & missing
    return found | ({node.module.partition(".")[0]} & PLATFORM_MODULES)


def test_only_system_knows_how_systems_differ():
    found = []
    for path in MODULES.values():
        relative = path.relative_to(PACKAGE).as_posix()
        if not relative.startswith("system/"):
            uses = [(name, line) for name, line in platform_uses(parse(path)) if name not in ALLOWED.get(relative, ())]
            found += [f"{shown(path, line)} {name}" for name, line in uses]
    assert found == []


def test_overview_of_system_lists_every_module():
    overview = ast.get_docstring(parse(PACKAGE / "system" / "__init__.py"))
    modules = {path.stem for path in (PACKAGE / "system").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", overview)) == modules


def test_every_file_is_opened_by_one_function():
    """`os.open` needs another flag on Windows, or line breaks change: `imgpool.system.files.open_binary` sets it."""
    calls = [
        shown(path, node.lineno)
        for module, path in MODULES.items()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.open" and ".system." not in module
    ]
    assert calls == []


def test_files_are_synced_by_one_function():
    """`os.fsync` does not reach the disk on macOS: `imgpool.system.durability.sync_file` does."""
    lines = [(shown(path), text(path)) for module, path in MODULES.items() if ".system." not in module]
    assert [name for name, content in lines if "os.fsync(" in content] == []


def test_text_files_are_opened_with_an_encoding():
    """The default is UTF-8 on Linux and macOS, and another one on Windows."""
    wrong = [
        shown(path, node.lineno)
        for path in MODULES.values()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and opens_text_without_encoding(node)
    ]
    assert wrong == []


def opens_text_without_encoding(call):
    function = ast.unparse(call.func).rpartition(".")[2]
    keywords = {keyword.arg for keyword in call.keywords}
    if function == "read_text":
        return not call.args and "encoding" not in keywords
    if function == "write_text":
        return len(call.args) < 2 and "encoding" not in keywords
    if ast.unparse(call.func) != "open":
        return False
    modes = [argument.value for argument in call.args[1:2] if isinstance(argument, ast.Constant)]
    return not any("b" in mode for mode in modes) and "encoding" not in keywords


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import fcntl", "fcntl"),
        ("from os import fork", "fork"),
        ("from ctypes import CDLL", "CDLL"),
        ("from resource import getrlimit", "resource"),
        ("signal.signal(signal.SIGHUP, handler)", "signal.SIGHUP"),
        ("flags = os.O_RDONLY | os.O_CLOEXEC", "os.O_CLOEXEC"),
        ("if sys.platform == 'win32': pass", "sys.platform"),
        ("if hasattr(os, 'fork'): pass", "hasattr(os, 'fork')"),
        ("open('/proc/self/stat', 'rb')", "/proc/self/stat"),
        ("multiprocessing.context.ForkContext()", "multiprocessing.context.ForkContext"),
        ("code = getattr(error, 'winerror', 0)", "winerror"),
    ],
)
def test_use_of_what_a_system_lacks_is_found(code, found):
    assert [name for name, _ in platform_uses(ast.parse(code))] == [found]


@pytest.mark.parametrize("code", ["os.open(path, os.O_RDONLY)", "signal.SIGINT", "hasattr(image, 'x')", "'/devices'"])
def test_what_every_system_has_is_allowed(code):
    assert list(platform_uses(ast.parse(code))) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [("open(p)", True), ("open(p, 'rb')", False), ("open(p, encoding='utf-8')", False), ("p.read_text()", True)],
)
def test_missing_encoding_is_found(code, wrong):
    assert opens_text_without_encoding(ast.parse(code).body[0].value) is wrong
