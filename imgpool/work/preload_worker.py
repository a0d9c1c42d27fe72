"""Modules and schemas that every worker needs; the process that workers are forked from imports this module once."""

import xxhash  # noqa: F401 - for the hashes of the sources

import imgpool.work.preload_common  # noqa: F401 - what the parent needs as well
from imgpool.core.catalogue import FORMATS

for _format in FORMATS.built_in():
    _format.validate({})  # builds the schema of its options
