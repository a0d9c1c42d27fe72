"""Importing this loads what every worker needs: once, in the process that they are forked from."""

import xxhash  # noqa: F401 - sources are hashed with it

import imgpool.work.preload_common  # noqa: F401
from imgpool.core.catalogue import FORMATS

for _format in FORMATS.built_in():
    _format.validate({})  # makes the schema
