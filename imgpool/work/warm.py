"""Importing this loads what every worker needs: once, in the process that they are forked from."""

import xxhash  # noqa: F401 - sources are hashed with it

import imgpool.work.process  # noqa: F401 - what workers do
from imgpool.core.catalogue import FILTERS, FORMATS

FILTERS.names()
FORMATS.names()
for _format in FORMATS.built_in():
    _format.validate({})  # makes the schema
