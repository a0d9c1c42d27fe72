"""Every plug-in declares the modules that it imports for common images, which workers preload."""

import json
import subprocess
import sys

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS

HEAVY = {"PIL", "cv2", "imagecodecs", "scipy", "skimage", "tifffile"}

PROBE = """
import importlib, json, os, sys, tempfile
from pathlib import Path
import numpy as np
from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import ImgpoolError
from imgpool.core.image import Image

HEAVY = {"PIL", "cv2", "imagecodecs", "scipy", "skimage", "tifffile"}
CATALOGUES = {"filter": FILTERS, "format": FORMATS}
rng = np.random.default_rng(0)
images = [
    Image.from_array(rng.integers(0, 200, shape).astype(dtype))
    for dtype in ("uint8", "uint16", "float32") for shape in ((24, 24), (24, 24, 3))
]

def use(kind, name):
    for image in images:
        try:
            if kind == "filter":
                examples = FILTERS[name].example_parameters(Path(sys.argv[1]), (24, 24))
                FILTERS[name].load(examples[0])(image)
            else:
                format_ = FORMATS[name]
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, "x" + format_.extensions[0])
                    format_.write(image, path)
                    format_.read(path)
        except ImgpoolError:
            pass

def heavy_libraries(kind, name):
    use(kind, name)
    return sorted({module.partition(".")[0] for module in sys.modules} & HEAVY)

def late_modules(kind, name):
    for module in ("imgpool.work.preload_worker", *CATALOGUES[kind][name].libraries):
        importlib.import_module(module)
    preloaded = set(sys.modules)
    use(kind, name)
    return sorted(module for module in set(sys.modules) - preloaded if module.startswith("imgpool."))

def in_child(function, kind, name):
    reader, writer = os.pipe()
    if not os.fork():
        os.write(writer, json.dumps(function(kind, name)).encode())
        os._exit(0)
    os.close(writer)
    result = json.loads(os.fdopen(reader).read())
    os.wait()
    return result

assert not {module.partition(".")[0] for module in sys.modules} & HEAVY
plugins = [(kind, name) for kind, catalogue in CATALOGUES.items() for name in catalogue.names()]
print(json.dumps({
    "heavy": {name: in_child(heavy_libraries, kind, name) for kind, name in plugins},
    "late": {name: in_child(late_modules, kind, name) for kind, name in plugins if kind == "format"},
}))
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The modules that each plug-in imports when used in a process of its own: heavy ones, and undeclared ones."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, tmp_path_factory.mktemp("examples")],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("plugin", [*FILTERS, *FORMATS], ids=lambda plugin: plugin.name)
def test_imported_libraries_are_declared(used, plugin):
    declared = {library.partition(".")[0] for library in plugin.libraries}
    if declared & {"skimage"}:
        declared |= {"scipy", "PIL"}  # imported by scikit-image
    if declared & {"scipy", "tifffile"}:
        declared |= {"PIL"}
    assert set(used["heavy"][plugin.name]) <= declared


@pytest.mark.parametrize("format_", list(FORMATS), ids=lambda format_: format_.name)
def test_formats_declare_their_own_modules(used, format_):
    assert used["late"][format_.name] == []
