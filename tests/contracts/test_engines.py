"""Every engine of the catalogue keeps the contract of engines."""

from imgpool.core.catalogue import ENGINES
from imgpool.testing import EngineContract


class TestEngines(EngineContract):
    engines = tuple(ENGINES)
