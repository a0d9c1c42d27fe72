"""Modules that every run needs, in the parent and in the workers; importing this module imports them."""

import imgpool.work.process_file  # noqa: F401 - the workers call it
from imgpool.core.catalogue import FORMATS

FORMATS.names()
