"""Steps of a recipe: one filter each, with its parameters."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from imgpool.core.catalogue import FILTERS, split_extension
from imgpool.core.errors import ReadError, RecipeError
from imgpool.core.filter import LoadedFilter
from imgpool.core.image import Properties
from imgpool.core.limits import check_limits
from imgpool.core.reference import Reference
from imgpool.core.shorten import quote, shorten
from imgpool.core.spec import parse_spec


@dataclass(frozen=True, slots=True)
class Step:
    """A filter with all its parameters.

    Attributes
    ----------
    filter
        Name of the filter.
    parameters
        Every parameter, validated, as plain JSON values.
    """

    filter: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _values: Mapping[str, Any] | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def create(cls, name: str, parameters: Mapping[str, Any]) -> Self:
        """Create a step; raises `RecipeError` if there is no such filter or a parameter is not valid."""
        return cls(name, FILTERS[name].canonical(parameters))

    @classmethod
    def from_spec(cls, text: str) -> Self:
        """Create a step from the command line's notation, such as ``gaussian:sigma=2``; raises `RecipeError`."""
        return cls.create(*parse_spec(text, FILTERS.__getitem__))

    @classmethod
    def parse(cls, data: object) -> Self:
        """Read one entry of a recipe's ``steps``: ``label``, ``gaussian:sigma=2`` or ``gaussian: {sigma: 2}``."""
        if isinstance(data, str):
            return cls.from_spec(data)
        if not isinstance(data, dict) or len(data) != 1:
            raise RecipeError(f"{quote(data)} is not a step", "write a step as `- gaussian: {sigma: 2}`")
        ((name, parameters),) = data.items()
        if not isinstance(parameters, dict | None):
            raise RecipeError(
                f"the parameters of {shorten(name)} must be a mapping, not {quote(parameters)}",
                f"write them as `- {name}: {{parameter: value}}`",
            )
        return cls.create(str(name), parameters or {})

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters converted to the filter's types; cached, because every image asks for them."""
        if self._values is None:
            object.__setattr__(self, "_values", FILTERS[self.filter].validate(self.parameters))
        assert self._values is not None
        return self._values

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Identity of the step's files and models, by parameter; raises `RecipeError` if one cannot be read."""
        try:
            return FILTERS[self.filter].provenance(self.values)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise RecipeError(f"{self.filter}: {error.filename} cannot be read: {reason}", "check the path") from error

    @property
    def reference_images(self) -> Mapping[str, Properties]:
        """Headers of the image files among the parameters, by parameter; files that cannot be read are left out."""
        found: dict[str, Properties] = {}
        for name, value in self.values.items():
            if isinstance(value, Reference):
                _, format_ = split_extension(os.path.basename(value.path))
                with contextlib.suppress(ReadError, OSError):  # loading the filter names the file
                    found |= {name: format_.properties(value.path)} if format_ else {}
        return found

    def check_references(self, max_pixels: int) -> None:
        """Raise `RecipeError` if an image file among the parameters has more than `max_pixels` pixels."""
        for name, properties in self.reference_images.items():
            try:
                check_limits(properties, max_pixels)
            except ReadError as error:
                reason = error.message.removeprefix("it ")
                raise RecipeError(f"{self.filter}: {name}={self.values[name]} {reason}", error.hint) from None

    @property
    def heavy(self) -> bool:
        """Whether loading the filter takes seconds or much memory."""
        return FILTERS[self.filter].heavy

    def load(self) -> LoadedFilter:
        """Load the filter, including its heavy parts."""
        return FILTERS[self.filter].load(self.parameters)

    def __reduce__(self) -> tuple[type["Step"], tuple[str, Mapping[str, Any]]]:
        return type(self), (self.filter, self.parameters)  # the converted values are not pickled

    def __str__(self) -> str:
        parameters = ",".join(f"{name}={value}" for name, value in self.parameters.items() if value is not None)
        return f"{self.filter}:{parameters}" if parameters else self.filter
