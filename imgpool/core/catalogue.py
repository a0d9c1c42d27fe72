"""Plug-ins by name: filters, formats, engines and model runtimes.

Built-in plug-ins: every module or package in `imgpool.filters` without a leading underscore is a plug-in module, and
its ``__all__`` lists the plug-ins. The same holds for `imgpool.formats`, `imgpool.engines` and
`imgpool.models.runtimes`. Other distributions add plug-ins with an entry point in the group ``imgpool.filters``,
``imgpool.formats``, ``imgpool.engines`` or ``imgpool.runtimes``.
"""

import contextlib
import functools
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from imgpool.core.engine import Engine
from imgpool.core.errors import RecipeError
from imgpool.core.filter import Filter
from imgpool.core.format import Format
from imgpool.core.parameters import suggest_name
from imgpool.core.shorten import quote

if TYPE_CHECKING:
    from imgpool.core.model import Runtime  # imported lazily: only recipes with a model need it


class Named(Protocol):
    """Anything that a catalogue can hold."""

    @property
    def name(self) -> str:
        """The name by which it is found."""


Plugin = TypeVar("Plugin", bound=Named)


class Catalogue(Generic[Plugin]):
    """The plug-ins of one kind, imported on first use.

    Parameters
    ----------
    kind
        The word for one of them in messages: "filter".
    package
        The package of the built-in ones, such as "imgpool.filters".
    families
        For names with a dot that are resolved on demand: maps the first word of the name to a module whose
        ``find(name)`` returns the plug-in.
    group
        The entry-point group of installed ones; by default the name of the package.
    """

    def __init__(
        self, kind: str, package: str, families: Mapping[str, str] | None = None, group: str | None = None
    ) -> None:
        self.kind = kind
        self.package = package
        self.group = group or package
        self.families = families or {}

    def __getitem__(self, name: str) -> Plugin:
        """Return the plug-in of this name.

        Raises
        ------
        RecipeError
            If there is none, with the most similar name as a hint; or if it is installed but cannot be imported.
        """
        if plugin := self._find_quickly(name) or self._built_in.get(name):
            return plugin
        if name in self._installed:
            return self._load(name)
        family, dot, _ = name.partition(".")
        if dot and family in self.families:
            found: Plugin = importlib.import_module(self.families[family]).find(name)
            return found
        raise RecipeError(f"no {self.kind} is called {quote(name)}", suggest_name(name, self.names()))

    def __contains__(self, name: str) -> bool:
        return name in self._built_in or name in self._installed

    def __iter__(self) -> Iterator[Plugin]:
        for name in self.names():
            with contextlib.suppress(RecipeError):  # one broken distribution must not hide the other plug-ins
                yield self[name]

    def built_in(self) -> Iterator[Plugin]:
        """Iterate over imgpool's own plug-ins."""
        yield from self._built_in.values()

    def names(self) -> list[str]:
        """Return every name, sorted."""
        return sorted({*self._built_in, *self._installed})

    @functools.cached_property
    def _modules(self) -> list[str]:
        package = importlib.import_module(self.package)
        names = (module.name for module in pkgutil.iter_modules(package.__path__))
        return [f"{self.package}.{name}" for name in names if name[0] != "_"]

    @functools.cached_property
    def _built_in(self) -> dict[str, Plugin]:
        return {plugin.name: plugin for module in self._modules for plugin in _plugins_of(module)}

    @functools.cached_property
    def _installed(self) -> dict[str, Any]:
        return {point.name: point for point in _entry_points(tuple(sys.path)).select(group=self.group)}

    @functools.cache  # noqa: B019 - there are four catalogues, and they live as long as the process
    def _find_quickly(self, name: str) -> Plugin | None:
        """Find a built-in plug-in in the modules that are likely to define it; None if they do not."""
        plugins: Iterator[Plugin] = (plugin for module in self._likely_modules(name) for plugin in _plugins_of(module))
        return next((plugin for plugin in plugins if plugin.name == name), None)

    def _likely_modules(self, name: str) -> Iterator[str]:
        """Iterate over the module of that name, the imported modules, then those whose source contains the name."""
        yield from (module for module in self._modules if module.endswith(f".{name}"))
        yield from (module for module in self._modules if module in sys.modules)
        yield from (module for module in self._modules if f'"{name}"' in _source(module))

    def _load(self, name: str) -> Plugin:
        point = self._installed[name]
        try:
            plugin: Plugin = point.load()
        except Exception as error:
            missing = getattr(error, "name", "") if isinstance(error, ImportError) else ""
            hint = f"pip install {missing}" if missing else f"reinstall or remove the package of {point.value}"
            raise RecipeError(f"the {self.kind} {name!r} of {point.value} cannot be imported: {error}", hint) from error
        return plugin


def _plugins_of(module: str) -> list[Any]:
    plugin_module = importlib.import_module(module)
    return [getattr(plugin_module, name) for name in plugin_module.__all__]


def _source(module: str) -> str:
    """Return the source of a module, or an empty string if there is none."""
    spec = importlib.util.find_spec(module)
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    try:
        return (get_source(module) if get_source else None) or ""
    except (ImportError, OSError):
        return ""


@functools.cache
def _entry_points(_path: tuple[str, ...]) -> Any:  # noqa: ANN401 - its type differs between versions of Python
    """Return all entry points; cached for each `sys.path`, because the search is slow and every catalogue needs it."""
    return entry_points()


FILTERS: Catalogue[Filter] = Catalogue("filter", "imgpool.filters", {"skimage": "imgpool.filters._skimage"})
FORMATS: Catalogue[Format] = Catalogue("format", "imgpool.formats")
ENGINES: Catalogue[Engine] = Catalogue("engine", "imgpool.engines")
RUNTIMES: "Catalogue[Runtime]" = Catalogue("model runtime", "imgpool.models.runtimes", group="imgpool.runtimes")


def split_extension(name: str) -> tuple[str, Format | None]:
    """Split a file name into its stem and the format of its extension.

    The longest known extension is taken, ignoring case: "a.ome.TIF" has the stem "a". Without a known extension, the
    whole name and None are returned.
    """
    dot = name.rfind(".")
    if dot > 0 and (usual := _unambiguous_extensions().get(name[dot:])):
        return name[:dot], usual
    for length in _extension_lengths():
        if len(name) > length and name[-length] == ".":
            format_ = _formats_by_extension().get(name[-length:].lower())
            if format_:
                return name[:-length], format_
    return name, None


def known_extensions() -> str:
    """Return the usual extension of every format, as text for messages."""
    return ", ".join(format_.extensions[0] for format_ in FORMATS)


@functools.cache
def _formats_by_extension() -> dict[str, Format]:
    return {extension: format_ for format_ in FORMATS for extension in format_.extensions}


@functools.cache
def _unambiguous_extensions() -> dict[str, Format]:
    """Return the extensions, in lower and upper case, that no longer extension ends with."""
    known = _formats_by_extension()
    return {
        spelling: format_
        for extension, format_ in known.items()
        if not any(other.endswith(extension) for other in known if other != extension)
        for spelling in (extension, extension.upper())
    }


@functools.cache
def _extension_lengths() -> tuple[int, ...]:
    return tuple(sorted({len(extension) for extension in _formats_by_extension()}, reverse=True))
