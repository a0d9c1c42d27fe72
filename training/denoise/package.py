"""The denoiser as a package in the bioimage.io format, version 0.5; needs torch and onnx."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from training.denoise.network import Denoiser
from training.denoise.pictures import HELD_OUT, clean_picture, noisy_picture
from training.denoise.sizes import HALO, LEAST, STEP

FOLDER = Path(__file__).parent
OPSET = 17
TOLERANCE = 1e-4


def write_package(network: Denoiser) -> None:
    """Write weights, test arrays and description into this folder.

    Raises
    ------
    AssertionError
        If the exported graph gives other results than the network, at any of several sizes.
    """
    _export(network, FOLDER / "weights.onnx")
    for height, width in ((144, 144), (160, 272), (512, 192)):
        _check(network, FOLDER / "weights.onnx", height, width)
    noisy = noisy_picture(clean_picture(HELD_OUT, LEAST), noise=0.1, shot=0.5, seed=HELD_OUT)[None, None]
    np.save(FOLDER / "test_input.npy", noisy)
    np.save(FOLDER / "test_output.npy", _apply(network, noisy))
    text = yaml.safe_dump(_description(), sort_keys=False, allow_unicode=True, width=110)
    (FOLDER / "bioimageio.yaml").write_text(text, "utf-8")


def _export(network: Denoiser, path: Path) -> None:
    """Write the graph; batch, height and width are free."""
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 10 * STEP, 12 * STEP),),
        path,
        input_names=["noisy"],
        output_names=["denoised"],
        dynamic_axes={name: {0: "batch", 2: "y", 3: "x"} for name in ("noisy", "denoised")},
        opset_version=OPSET,
        dynamo=False,
    )


def _check(network: Denoiser, path: Path, height: int, width: int) -> None:
    import onnxruntime

    noisy = np.random.default_rng(0).normal(size=(1, 1, height, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"noisy": noisy})
    assert np.abs(found - _apply(network, noisy)).max() < TOLERANCE


@torch.no_grad()
def _apply(network: Denoiser, noisy: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return network(torch.from_numpy(noisy)).numpy()


def _description() -> dict[str, Any]:
    return {
        "format_version": "0.5.4",
        "type": "model",
        "name": "imgpool denoise",
        "version": "1.0.0",
        "description": "Takes Poisson–Gaussian camera noise of any strength out of grey-level images of any unit.",
        "authors": [{"name": "the imgpool developers"}],
        "cite": [
            {
                "text": "Mohan et al. 2020: Robust and Interpretable Blind Image Denoising via Bias-Free "
                "Convolutional Neural Networks.",
                "url": "https://arxiv.org/abs/1906.05478",
            }
        ],
        "license": "BSD-3-Clause",
        "documentation": "README.md",
        "tags": ["denoising", "2d", "fluorescence-light-microscopy", "image-restoration", "onnx"],
        "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "inputs": [_tensor("noisy", "Of any unit and offset.", {"min": LEAST, "step": STEP})],
        "outputs": [_tensor("denoised", "In the unit of the input.", halo=HALO)],
        "weights": {"onnx": {**_file("weights.onnx"), "opset_version": OPSET}},
        "config": {
            "bioimageio": {"reproducibility_tolerance": [{"relative_tolerance": 0, "absolute_tolerance": TOLERANCE}]}
        },
    }


def _tensor(name: str, description: str, size: dict[str, int] | None = None, halo: int = 0) -> dict[str, Any]:
    """One input, or the output: of the input's size, less its halo."""
    space = [
        {
            "type": "space",
            "id": axis,
            "size": size or {"tensor_id": "noisy", "axis_id": axis},
            **({"halo": halo} if halo else {}),
        }
        for axis in ("y", "x")
    ]
    return {
        "id": name,
        "description": description,
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["intensity"]}, *space],
        "data": {"type": "float32"},
        "test_tensor": _file("test_input.npy" if size else "test_output.npy"),
    }


def _file(name: str) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()}
