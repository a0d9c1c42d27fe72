"""Values that stand in a recipe as texts: quantities, and files."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Parsed(ABC):
    """A value that pydantic reads with `parse` and writes back as text."""

    @classmethod
    @abstractmethod
    def parse(cls, value: object) -> Self:
        """Read a value; raise ``ValueError`` where it is none of this kind."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())
