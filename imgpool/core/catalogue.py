"""Plug-ins by name: filters, formats, engines and model runtimes.

A module of the catalogue's package whose name has no leading underscore is a plug-in module, and what its
``__all__`` lists are plug-ins. Other packages add theirs by an entry point in the group of the same name
as the package (``imgpool.filters``, …).
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
from imgpool.core.parameters import near_miss

if TYPE_CHECKING:
    from imgpool.core.model import Runtime  # nothing else needs it before a recipe has a model


class Named(Protocol):
    """Anything a catalogue can hold."""

    @property
    def name(self) -> str:
        """How people call it."""


Plugin = TypeVar("Plugin", bound=Named)


class Catalogue(Generic[Plugin]):
    """The plug-ins of one package, found on first use.

    Parameters
    ----------
    kind
        What to call one of them in a message: "filter".
    package
        The package of the built-in ones, such as "imgpool.filters".
    families
        Modules whose ``find`` gives the plug-in for a dotted name, by the name's first word.
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

    @functools.cached_property
    def _modules(self) -> list[str]:
        package = importlib.import_module(self.package)
        names = (module.name for module in pkgutil.iter_modules(package.__path__))
        return [f"{self.package}.{name}" for name in names if name[0] != "_"]

    @functools.cached_property
    def _built_in(self) -> dict[str, Plugin]:
        return {plugin.name: plugin for module in self._modules for plugin in _plugins_of(module)}

    @functools.cache  # noqa: B019 - there are four catalogues, and they stay
    def _at_first_sight(self, name: str) -> Plugin | None:
        """The built-in plug-in of this name, if it is in a likely module: to import all of them takes long."""
        plugins: Iterator[Plugin] = (plugin for module in self._likely(name) for plugin in _plugins_of(module))
        return next((plugin for plugin in plugins if plugin.name == name), None)

    def _likely(self, name: str) -> Iterator[str]:
        """The module of that name, the modules that are imported already, then those whose text contains the name."""
        yield from (module for module in self._modules if module.endswith(f".{name}"))
        yield from (module for module in self._modules if module in sys.modules)
        yield from (module for module in self._modules if f'"{name}"' in _source(module))

    @functools.cached_property
    def _installed(self) -> dict[str, Any]:
        return {point.name: point for point in _entry_points(tuple(sys.path)).select(group=self.group)}

    def __getitem__(self, name: str) -> Plugin:
        """The plug-in of this name.

        Raises
        ------
        RecipeError
            If there is none, with the nearest name; or if it is installed but does not import.
        """
        if plugin := self._at_first_sight(name) or self._built_in.get(name):
            return plugin
        if name in self._installed:
            return self._load(name)
        family, dot, _ = name.partition(".")
        if dot and family in self.families:
            found: Plugin = importlib.import_module(self.families[family]).find(name)
            return found
        raise RecipeError(f"no {self.kind} is called {name!r}", near_miss(name, self.names()))

    def __contains__(self, name: str) -> bool:
        return name in self._built_in or name in self._installed

    def __iter__(self) -> Iterator[Plugin]:
        for name in self.names():
            with contextlib.suppress(RecipeError):  # one broken package costs nobody else their plug-ins
                yield self[name]

    def built_in(self) -> Iterator[Plugin]:
        """The plug-ins of the package itself."""
        yield from self._built_in.values()

    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted({*self._built_in, *self._installed})

    def _load(self, name: str) -> Plugin:
        point = self._installed[name]
        try:
            plugin: Plugin = point.load()
        except Exception as error:
            missing = getattr(error, "name", "") if isinstance(error, ImportError) else ""
            hint = f"pip install {missing}" if missing else f"reinstall or remove the package of {point.value}"
            raise RecipeError(f"the {self.kind} {name!r} of {point.value} does not import: {error}", hint) from error
        return plugin


def _plugins_of(module: str) -> list[Any]:
    home = importlib.import_module(module)
    return [getattr(home, name) for name in home.__all__]


def _source(module: str) -> str:
    """The text of a module; empty where there is none."""
    spec = importlib.util.find_spec(module)
    read = getattr(spec.loader, "get_source", None) if spec else None
    try:
        return (read and read(module)) or ""
    except (ImportError, OSError):
        return ""


@functools.cache
def _entry_points(_path: tuple[str, ...]) -> Any:  # noqa: ANN401 - of another type in every version of Python
    """All there are below this `sys.path`: looking takes long, and every catalogue asks."""
    return entry_points()


FILTERS: Catalogue[Filter] = Catalogue("filter", "imgpool.filters", {"skimage": "imgpool.filters._skimage"})
FORMATS: Catalogue[Format] = Catalogue("format", "imgpool.formats")
ENGINES: Catalogue[Engine] = Catalogue("engine", "imgpool.engines")
RUNTIMES: "Catalogue[Runtime]" = Catalogue("model runtime", "imgpool.models.runtimes", group="imgpool.runtimes")


def split_extension(name: str) -> tuple[str, Format | None]:
    """Split a file's name into its stem and the format that its extension means.

    The longest known extension counts, in any case: "a.ome.TIF" has the stem "a". Without a known
    extension the name comes back whole, with None.
    """
    for length in _extension_lengths():
        if len(name) > length and name[-length] == ".":
            format_ = _formats_by_extension().get(name[-length:].lower())
            if format_:
                return name[:-length], format_
    return name, None


def known_extensions() -> str:
    """The usual extension of every format, for messages."""
    return ", ".join(format_.extensions[0] for format_ in FORMATS)


@functools.cache
def _formats_by_extension() -> dict[str, Format]:
    return {extension: format_ for format_ in FORMATS for extension in format_.extensions}


@functools.cache
def _extension_lengths() -> tuple[int, ...]:
    return tuple(sorted({len(extension) for extension in _formats_by_extension()}, reverse=True))
