"""From a package to what it says: the `Model`, with its weights hashed and looked into, not loaded."""

import contextlib
import hashlib
import json
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from imgpool.core.errors import RecipeError
from imgpool.core.model import Model, Tensor
from imgpool.core.safe_yaml import load_yaml
from imgpool.models.packages import bioimageio as _bioimageio
from imgpool.models.packages import bioimageio_4 as _bioimageio_4
from imgpool.models.packages.fields import Fields
from imgpool.models.packages.files import Package, description_name, inside, open_package
from imgpool.models.packages.fit import fit, guess
from imgpool.models.packages.onnx_graph import read_graph
from imgpool.models.packages.tensors import Tensors

MAX_DESCRIPTION = 512 * 1024
MOST_KNOWN = 64
WIDTH = 100
EXPORT = "export it to ONNX"
VERSIONS = {"0.4": _bioimageio_4.read_tensors, "0.5": _bioimageio.read_tensors}

Stamp = tuple[tuple[int, int, int], ...]

FOREIGN = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torch"), "a file of PyTorch"),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "a file of Keras"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a pickle"),
    **dict.fromkeys((".pb", ".tflite"), "a file of TensorFlow"),
}
MAGIC = {b"\x80": "a pickle", b"PK": "a file of PyTorch, or another zip", b"\x89HDF": "a file of Keras, or other HDF5"}


@dataclass(frozen=True, slots=True)
class Described:
    """A model, the package that it is in, and the sha256 that its test arrays must have, by name.

    `paths` are the files that say all this, and `stamp` what they looked like then.
    """

    model: Model
    package: Package
    tests: Mapping[str, str]
    paths: tuple[str, ...]
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Weights:
    """An ONNX file of a package, and the files that belong to it, each with its sha256."""

    name: str
    sha256: str
    external: tuple[tuple[str, str], ...]


_known: dict[str, Described] = {}


def described(path: str) -> Described:
    """What the package at `path` says; worked out again only when one of its files has changed.

    Raises
    ------
    RecipeError
        If it is damaged or forged, or asks for what is not supported.
    """
    known = _known.get(path)
    if known and known.stamp == _stamp(known.paths):
        return known
    try:
        found = _described(path)
    except RecipeError as error:
        raise RecipeError(f"the model {path}: {error.message}", error.hint) from None
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[path] = found
    return found


def is_unchanged(model: Model) -> bool:
    """Whether this process has described the model, and its files look as they did then: they need no second hash."""
    known = _known.get(model.path)
    return known is not None and known.model == model and known.stamp == _stamp(known.paths)


def _described(path: str) -> Described:
    package, name = open_package(path)
    name = name or description_name(package)
    if not name:
        raise RecipeError(
            "it has no bioimageio.yaml", "name a bioimage.io package, as a folder or zip, or one ONNX file"
        )
    if re.search(r"\.ya?ml$", name, re.IGNORECASE):
        model, tests = _packaged(path, package, _read_description(package, name))
    else:
        model, tests = _bare(path, package, name), {}
    paths = (path, *package.paths([name, model.weights, *(each for each, _ in model.external)]))
    return Described(model, package, tests, paths, _stamp(paths))


def _bare(path: str, package: Package, name: str) -> Model:
    weights, tensors = _weights(package, name, {}, None)
    return _model(path, "ONNX", _stem(path), weights, tensors)


def _packaged(path: str, package: Package, description: Fields) -> tuple[Model, Mapping[str, str]]:
    version = _check_kind(description)
    tensors = VERSIONS[version[:3]](description)
    entry = _onnx_entry(description)
    source = inside(entry.text("source"))
    declared = {source: entry.text("sha256", "")}
    if "external_data" in entry:
        data = entry.inner("external_data")
        declared[inside(data.text("source"))] = data.text("sha256", "")
    weights, tensors = _weights(package, source, declared, tensors)
    name = description.line("name") or _stem(path)
    model = _model(path, f"bioimage.io {version}", name, weights, tensors)
    authors = [each.line("name") for each in description.mappings("authors")]
    return replace(
        model,
        version=description.line("version"),
        description=description.line("description"),
        license=description.line("license"),
        authors=tuple(filter(None, authors)),
        tolerance=_tolerance(description),
    ), tensors.tests


def _read_description(package: Package, name: str) -> Fields:
    try:
        text = package.read(name, MAX_DESCRIPTION).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError(f"its {name!r} is not UTF-8 text") from None
    try:
        return Fields.of(load_yaml(text))
    except RecipeError as error:
        raise RecipeError(f"its {name!r} is no description: {error.message}", error.hint) from None


def _check_kind(description: Fields) -> str:
    """The version of the description, which has to be one of a model, and known."""
    kind = description.text("type", "model")
    if kind != "model":
        raise RecipeError(f"it describes a {kind!r}, no model")
    version = description.text("format_version")
    if version[:3] not in VERSIONS or not re.fullmatch(r"0\.\d(\.\w+)*", version):
        hint = "bioimageio.core can convert it to 0.5"
        raise RecipeError(f"its description is of version {version!r} of the format, imgpool reads 0.4 and 0.5", hint)
    return version


def _onnx_entry(description: Fields) -> Fields:
    weights = description.inner("weights")
    if "onnx" not in weights:
        others = ", ".join(sorted(map(repr, weights.values)))[:WIDTH] or "nothing"
        raise RecipeError(f"its weights are for {others}, none for ONNX", f"{EXPORT}, and add it to its description")
    return weights.inner("onnx")


def _weights(
    package: Package, name: str, declared: Mapping[str, str], tensors: Tensors | None
) -> tuple[Weights, Tensors]:
    """Hash the weights, and hold the description (None for a bare file) against them."""
    data = package.read(name)
    _refuse_foreign(name, data)
    sha256 = check_sha256(name, data, declared.get(name, ""))
    graph = read_graph(data)
    external = sorted({beside(name, location) for location in graph.external})
    hashes = tuple((each, check_sha256(each, package.read(each), declared.get(each, ""))) for each in external)
    return Weights(name, sha256, hashes), guess(graph) if tensors is None else fit(tensors, graph)


def beside(name: str, location: str) -> str:
    """The name in the package of a file that the ONNX file `name` calls `location`."""
    return posixpath.join(posixpath.dirname(name), inside(location))


def check_sha256(name: str, data: bytes, declared: str) -> str:
    """The sha256 of a file.

    Raises
    ------
    RecipeError
        If another one was declared; an empty one allows any.
    """
    found = hashlib.sha256(data).hexdigest()
    if declared and declared.lower() != found:
        raise RecipeError(
            f"its {name!r} is not the file that was published: its sha256 is {found[:12]}…, not {declared[:12]}…",
            "download it again",
        )
    return found


def _refuse_foreign(name: str, data: bytes) -> None:
    kind = FOREIGN.get(os.path.splitext(name)[1].lower(), "")
    kind = kind or next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
    if kind:
        raise RecipeError(f"its {name!r} is {kind}, which imgpool never opens", EXPORT)


def _model(path: str, kind: str, name: str, weights: Weights, tensors: Tensors) -> Model:
    return Model(
        path=path,
        name=name,
        format=kind,
        runtime="onnx",
        weights=weights.name,
        sha256=weights.sha256,
        digest=_digest(weights, tensors),
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        external=weights.external,
    )


def _digest(weights: Weights, tensors: Tensors) -> str:
    hashes = [weights.sha256, [sha256 for _, sha256 in weights.external]]
    meaning = [_meaning(tensor) for tensor in (*tensors.inputs, *tensors.outputs)]
    return hashlib.sha256(json.dumps([hashes, meaning], sort_keys=True).encode()).hexdigest()


def _meaning(tensor: Tensor) -> dict[str, object]:
    """All of a tensor but its test array, which changes no result."""
    return {key: value for key, value in asdict(tensor).items() if key != "test"}


def _tolerance(description: Fields) -> float | None:
    """The absolute tolerance of the first entry that is meant for ONNX; what is odd here concerns no result."""
    with contextlib.suppress(RecipeError):
        for entry in description.inner("config").inner("bioimageio").mappings("reproducibility_tolerance"):
            if "onnx" in (entry.items("weights_formats") or ["onnx"]):
                return entry.number("absolute_tolerance", 1e-3)
    return None


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _stamp(paths: tuple[str, ...]) -> Stamp:
    """Size, time of change and inode of files; zeros where there is none."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            found.append((status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)
