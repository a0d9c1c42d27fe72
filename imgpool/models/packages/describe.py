"""Describe a package: read its description, hash its weights, and compare both; nothing is loaded."""

import contextlib
import hashlib
import json
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imgpool.core.errors import RecipeError, UnrecognisedModelError
from imgpool.core.model import Model, tensor_as_dict
from imgpool.core.safe_yaml import load_yaml
from imgpool.models.packages import bioimageio_0_4, bioimageio_0_5
from imgpool.models.packages.fields import Fields
from imgpool.models.packages.files import Package, checked_name, description_name, open_package
from imgpool.models.packages.graph_tensors import infer_tensors, match_graph
from imgpool.models.packages.onnx_graph import Graph, read_graph
from imgpool.models.packages.tensors import Tensors

MAX_DESCRIPTION_BYTES = 512 * 1024
MAX_CACHED_DESCRIPTIONS = 64
MAX_SHOWN_CHARACTERS = 100
EXPORT_HINT = "export the model to ONNX"

DEFAULT_DECLARED_TOLERANCE = 1e-3
"""Tolerance, as in the specification, of a package that declares a tolerance without its value."""

TENSOR_READERS = {"0.4": bioimageio_0_4.read_tensors, "0.5": bioimageio_0_5.read_tensors}
"""Reads the inputs and outputs of a description, by the version of the specification."""

Stamp = tuple[tuple[int, int, int], ...]
"""Size, modification time in ns, and inode of each file."""

FOREIGN_EXTENSIONS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torch"), "a PyTorch file"),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "a Keras file"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a pickle"),
    **dict.fromkeys((".pb", ".tflite"), "a TensorFlow file"),
}
FOREIGN_MAGIC = {
    b"\x80": "a pickle",
    b"PK": "a PyTorch file or another zip",
    b"\x89HDF": "a Keras file or another HDF5 file",
}
"""What files of other kinds are called in messages, by their extension or their first bytes."""


@dataclass(frozen=True, slots=True)
class PackageDescription:
    """A model and its package.

    Attributes
    ----------
    model
        The model.
    package
        The files of the package.
    test_hashes
        Declared sha256 of the test arrays, by name; empty if not declared.
    paths
        The paths that `model` was read from.
    stamp
        State of these paths when they were read.
    """

    model: Model
    package: Package
    test_hashes: Mapping[str, str]
    paths: tuple[str, ...]
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Weights:
    """An ONNX file of a package and its sha256; `external` has the names and sha256 of its external files."""

    name: str
    sha256: str
    external: tuple[tuple[str, str], ...]


_cache: dict[str, PackageDescription] = {}


def describe_package(path: str) -> PackageDescription:
    """Describe the package at `path`; the result is cached until one of its files changes.

    Raises
    ------
    RecipeError
        If the package is damaged or unsafe, or needs something that is not supported.
    """
    cached = _cache.get(path)
    if cached and cached.stamp == _stamp(cached.paths):
        return cached
    try:
        description = _describe(path)
    except RecipeError as error:
        hint = error.hint or "correct the package, or download it again"
        raise type(error)(f"the model {path}: {error.message}", hint) from None
    if len(_cache) >= MAX_CACHED_DESCRIPTIONS:
        _cache.clear()
    _cache[path] = description
    return description


def read_model(path: str, package: Package, description: Fields) -> tuple[Model, Mapping[str, str]]:
    """Read a model from the fields of its description.

    Returns
    -------
    Model
        The model.
    dict
        The declared sha256 of the test arrays, by name.

    Raises
    ------
    RecipeError
        If a field is missing or wrong, does not match the weights, or is not supported.
    """
    version = _check_version(description)
    declared_tensors = TENSOR_READERS[version[:3]](description)
    entry = _onnx_entry(description)
    source = checked_name(entry.text("source"))
    weights, graph = _read_weights(package, source, _declared_hashes(source, entry))
    tensors = match_graph(declared_tensors, graph)
    name = description.line("name") or _stem(path)
    model = _make_model(path, f"bioimage.io {version}", name, weights, tensors)
    authors = [each.line("name") for each in description.mappings("authors")]
    model = replace(
        model,
        version=description.line("version"),
        description=description.line("description"),
        license=description.line("license"),
        authors=tuple(filter(None, authors)),
        tolerance=_read_tolerance(description),
    )
    return model, tensors.test_hashes


def is_unchanged(model: Model) -> bool:
    """Whether this process has described the model, and its files have not changed since by size and time."""
    cached = _cache.get(model.path)
    return cached is not None and cached.model == model and cached.stamp == _stamp(cached.paths)


def check_sha256(name: str, data: bytes, declared: str) -> str:
    """Compute the sha256 of a file and compare it with the declared one, unless that is empty.

    Raises
    ------
    RecipeError
        If they differ.
    """
    found = hashlib.sha256(data).hexdigest()
    if declared and declared.lower() != found:
        raise RecipeError(
            f"its {name!r} is not the published file: its sha256 is {found[:12]}…, not {declared[:12]}…",
            "download it again",
        )
    return found


def _describe(path: str) -> PackageDescription:
    package, name = open_package(path)
    name = name or description_name(package)
    if not name:
        raise UnrecognisedModelError(
            "it has no bioimageio.yaml", "give a bioimage.io package (a folder or zip) or an ONNX file"
        )
    if re.search(r"\.ya?ml$", name, re.IGNORECASE):
        model, test_hashes = read_model(path, package, _read_description(package, name))
    else:
        model, test_hashes = _describe_bare_file(path, package, name), {}
    paths = (path, *package.paths([name, model.weights, *(each for each, _ in model.external)]))
    return PackageDescription(model, package, test_hashes, paths, _stamp(paths))


def _read_description(package: Package, name: str) -> Fields:
    try:
        text = package.read(name, MAX_DESCRIPTION_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError(f"its {name!r} is not UTF-8 text") from None
    try:
        return Fields.of(load_yaml(text))
    except RecipeError as error:
        raise RecipeError(f"its {name!r} is not a description: {error.message}", error.hint) from None


def _describe_bare_file(path: str, package: Package, name: str) -> Model:
    try:
        weights, graph = _read_weights(package, name, {})
    except RecipeError as error:
        if name.lower().endswith(".onnx"):
            raise
        raise UnrecognisedModelError(error.message, error.hint) from None
    return _make_model(path, "ONNX", _stem(path), weights, infer_tensors(graph))


def _check_version(description: Fields) -> str:
    kind = description.text("type", "model")
    if kind != "model":
        raise RecipeError(f"it describes a {kind!r}, not a model")
    version = description.text("format_version")
    if version[:3] not in TENSOR_READERS or not re.fullmatch(r"0\.\d(\.\w+)*", version):
        raise RecipeError(
            f"its description has the format version {version!r}; imgpool reads 0.4 and 0.5",
            "convert it to 0.5 with bioimageio.core",
        )
    return version


def _onnx_entry(description: Fields) -> Fields:
    weights = description.mapping("weights")
    if "onnx" not in weights:
        others = ", ".join(sorted(map(repr, weights.values)))[:MAX_SHOWN_CHARACTERS]
        raise UnrecognisedModelError(
            f"it has no ONNX weights, only {others}" if others else "it has no weights",
            f"{EXPORT_HINT}, and add the file to its description",
        )
    return weights.mapping("onnx")


def _declared_hashes(source: str, entry: Fields) -> dict[str, str]:
    """The declared sha256 of the weights and of their external file, by name."""
    declared = {source: entry.text("sha256", "")}
    if "external_data" in entry:
        data = entry.mapping("external_data")
        declared[checked_name(data.text("source"))] = data.text("sha256", "")
    return declared


def _read_weights(package: Package, name: str, declared: Mapping[str, str]) -> tuple[Weights, Graph]:
    """Hash the weights and their external files, and read the graph."""
    data = package.read(name)
    _refuse_foreign(name, data)
    sha256 = check_sha256(name, data, declared.get(name, ""))
    graph = read_graph(data)
    external = sorted({_external_name(name, location) for location in graph.external})
    hashes = tuple((each, check_sha256(each, package.read(each), declared.get(each, ""))) for each in external)
    return Weights(name, sha256, hashes), graph


def _external_name(weights: str, location: str) -> str:
    """Name in the package of a file that the weights file refers to as `location`."""
    return posixpath.join(posixpath.dirname(weights), checked_name(location))


def _refuse_foreign(name: str, data: bytes) -> None:
    kind = FOREIGN_EXTENSIONS.get(os.path.splitext(name)[1].lower(), "")
    kind = kind or next((kind for magic, kind in FOREIGN_MAGIC.items() if data.startswith(magic)), "")
    if kind:
        raise RecipeError(f"its {name!r} is {kind}, which imgpool never opens", EXPORT_HINT)


def _make_model(path: str, format_: str, name: str, weights: Weights, tensors: Tensors) -> Model:
    return Model(
        path=path,
        name=name,
        format=format_,
        runtime="onnx",
        weights=weights.name,
        sha256=weights.sha256,
        digest=_digest(weights, tensors),
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        external=weights.external,
    )


def _digest(weights: Weights, tensors: Tensors) -> str:
    """Hash everything that can change a result; the fingerprints of recipes contain it."""
    hashes = [weights.sha256, [sha256 for _, sha256 in weights.external]]
    described = [tensor_as_dict(tensor) for tensor in (*tensors.inputs, *tensors.outputs)]
    for tensor in described:
        del tensor["test"]
    return hashlib.sha256(json.dumps([hashes, described], sort_keys=True).encode()).hexdigest()


def _read_tolerance(description: Fields) -> float | None:
    """The absolute tolerance declared for ONNX; invalid entries are ignored, as they cannot change a result."""
    with contextlib.suppress(RecipeError):
        for entry in description.mapping("config").mapping("bioimageio").mappings("reproducibility_tolerance"):
            if "onnx" in (entry.sequence("weights_formats") or ["onnx"]):
                return entry.number("absolute_tolerance", DEFAULT_DECLARED_TOLERANCE)
    return None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _stamp(paths: tuple[str, ...]) -> Stamp:
    """State of the files that exist."""
    stamps = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            stamps.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(stamps)
