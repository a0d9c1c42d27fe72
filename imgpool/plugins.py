"""Public API for plug-in authors: everything that a filter, format, engine or model runtime may import.

A plug-in is an object that an installed package names in one of four entry-point groups::

    [project.entry-points."imgpool.filters"]
    posterize = "my_package:posterize"

============================ =================================== ======================================
entry-point group             the object                          its contract, as a test
============================ =================================== ======================================
``imgpool.filters``           a `Filter`, made by `image_filter`  `imgpool.testing.FilterContract`
``imgpool.formats``           an instance of a `Format` subclass  `imgpool.testing.FormatContract`
``imgpool.engines``           an object with `Engine`'s methods   `imgpool.testing.EngineContract`
``imgpool.runtimes``          an object with `Runtime`'s methods  `imgpool.testing.RuntimeContract`
============================ =================================== ======================================

Notes
-----
**Compatibility.** This module and `imgpool.testing` follow semantic versioning. Within a major version, no name
disappears, no parameter loses its meaning, and a plug-in that passes the contract tests keeps working. New names,
and new keyword parameters with defaults, may come with a minor version. Before version 1.0, a minor version may
break compatibility; the change log then says what to change. All other modules may change at any time.

**Cost.** Each worker process imports a plug-in's module before its first image. Import heavy libraries inside the
functions that use them, and name them in ``libraries``, so that workers import them once and ahead of time.
"""

import importlib

from imgpool.core.axes import Pixels, map_planes
from imgpool.core.dtypes import Floats, check_numeric, full_scale, restore, to_float, working_dtype
from imgpool.core.engine import (
    Engine,
    EngineOptions,
    Function,
    Initializer,
    MemoryNeeded,
    RunMetrics,
    StartMethod,
)
from imgpool.core.errors import (
    FilterError,
    ImgpoolError,
    ReadError,
    RecipeError,
    UnrecognisedModelError,
    UsageError,
    WorkerError,
    WriteError,
)
from imgpool.core.filter import Filter, Parameters, image_filter
from imgpool.core.format import FilePath, Format, Reader
from imgpool.core.hint import Hint
from imgpool.core.image import Image, Metadata, PixelSize, Properties
from imgpool.core.model import Array, Model, ModelAxis, Operation, Runtime, Session, Size, SizeReference, Tensor
from imgpool.core.part import Part, Span
from imgpool.core.quantity import Area, Length, Range
from imgpool.core.reference import Reference
from imgpool.core.refusal import refuse as cannot_hold_error
from imgpool.core.task import Failure, Result, Task

TYPE_CHECKING = False  # as in `imgpool`
if TYPE_CHECKING:
    from imgpool.engines.shared.results import load_state, run_task
    from imgpool.filters import each_sample, map_colour, weighted_mean
    from imgpool.formats import not_stored, truncated_error, wrong_file_error

__all__ = [
    "Area",
    "Array",
    "Engine",
    "EngineOptions",
    "Failure",
    "FilePath",
    "Filter",
    "FilterError",
    "Floats",
    "Format",
    "Function",
    "Hint",
    "Image",
    "ImgpoolError",
    "Initializer",
    "Length",
    "MemoryNeeded",
    "Metadata",
    "Model",
    "ModelAxis",
    "Operation",
    "Parameters",
    "Part",
    "PixelSize",
    "Pixels",
    "Properties",
    "Range",
    "ReadError",
    "Reader",
    "RecipeError",
    "Reference",
    "Result",
    "RunMetrics",
    "Runtime",
    "Session",
    "Size",
    "SizeReference",
    "Span",
    "StartMethod",
    "Task",
    "Tensor",
    "UnrecognisedModelError",
    "UsageError",
    "WorkerError",
    "WriteError",
    "cannot_hold_error",
    "check_numeric",
    "each_sample",
    "full_scale",
    "image_filter",
    "load_state",
    "map_colour",
    "map_planes",
    "not_stored",
    "restore",
    "run_task",
    "to_float",
    "truncated_error",
    "weighted_mean",
    "working_dtype",
    "wrong_file_error",
]

_MODULES = {
    "each_sample": "imgpool.filters",
    "load_state": "imgpool.engines.shared.results",
    "map_colour": "imgpool.filters",
    "not_stored": "imgpool.formats",
    "run_task": "imgpool.engines.shared.results",
    "truncated_error": "imgpool.formats",
    "weighted_mean": "imgpool.filters",
    "wrong_file_error": "imgpool.formats",
}


def __getattr__(name: str) -> object:
    """Import a helper when it is first used, so that a filter does not import engines, nor an engine filters."""
    if name not in _MODULES:
        raise AttributeError(f"module 'imgpool.plugins' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
