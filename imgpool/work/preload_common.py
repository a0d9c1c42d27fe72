"""Importing this loads what a run takes on either side: to plan it, and to work on its images."""

import imgpool.work.process_file  # noqa: F401 - what workers do
from imgpool.core.catalogue import FORMATS

FORMATS.names()
