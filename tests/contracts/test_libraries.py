"""Every plug-in declares the heavy libraries that it imports for common images, which workers preload."""

import json
import subprocess
import sys

import pytest

from imgpool.core.catalogue import FILTERS, FORMATS

HEAVY = {"PIL", "cv2", "imagecodecs", "scipy", "skimage", "tifffile"}

PROBE = """
import json, os, sys, tempfile
from pathlib import Path
import numpy as np
from imgpool.core.catalogue import FILTERS, FORMATS
from imgpool.core.errors import ImgpoolError
from imgpool.core.image import Image

HEAVY = {"PIL", "cv2", "imagecodecs", "scipy", "skimage", "tifffile"}
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
    return sorted({module.partition(".")[0] for module in sys.modules} & HEAVY)

assert not {module.partition(".")[0] for module in sys.modules} & HEAVY
used = {}
for kind, catalogue in (("filter", FILTERS), ("format", FORMATS)):
    for name in catalogue.names():
        reader, writer = os.pipe()
        if not os.fork():
            os.write(writer, json.dumps(use(kind, name)).encode())
            os._exit(0)
        os.close(writer)
        used[name] = json.loads(os.fdopen(reader).read())
        os.wait()
print(json.dumps(used))
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The heavy libraries that each plug-in imports when used, in a process of its own."""
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
    assert set(used[plugin.name]) <= declared
