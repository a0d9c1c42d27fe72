"""Which tests cannot run on this system, because they use what it lacks, such as `os.fork` on Windows."""

import ast
import functools
import importlib.util
import inspect
import sys
import textwrap

from tests.support.platforms import names

MODULES = tuple(names.WINDOWS)


def is_missing(module, name=None):
    """Whether this system lacks a module of the standard library, or a name in one."""
    if name is None:
        return module in names.WINDOWS_MODULES and importlib.util.find_spec(module) is None
    return module in sys.modules and not hasattr(sys.modules[module], name)


def missing_in(tree, is_missing=is_missing):
    """Return what a syntax tree uses of the standard library and the system lacks."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in MODULES:
            module = ast.unparse(node.value)
            if node.attr in _known(module) and is_missing(module, node.attr):
                found.add(f"{module}.{node.attr}")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if is_missing(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and is_missing(node.module):
            found.add(node.module)
    return found


@functools.cache
def _known(module):
    """The names that a module has on Linux and lacks elsewhere: other missing names are mistakes of a test."""
    return set(names.WINDOWS[module].split()) | set(names.MACOS.get(module, "").split())


def missing_at_import(tree, is_missing=is_missing):
    """Return what a file uses while it is imported: its functions are left out."""
    kept = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return missing_in(ast.Module(kept, []), is_missing)


@functools.cache
def missing_in_function(function):
    """Return what a test function uses itself and the system lacks."""
    try:
        return missing_in(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        return set()
