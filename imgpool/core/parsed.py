"""The base class of parameter values that a recipe stores as text: quantities and references to files."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Parsed(ABC):
    """A value that pydantic reads with `parse` and serializes with ``str``."""

    @classmethod
    @abstractmethod
    def parse(cls, value: object) -> Self:
        """Convert a value.

        Raises
        ------
        ValueError
            If it is not valid. The message completes "the parameter …": "must be a length, for example 2px".
        """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())
