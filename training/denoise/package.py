"""Export the denoiser as a bioimage.io package, format 0.5; needs PyTorch and onnx."""

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from training.denoise.constants import HALO_PX, MIN_SIDE_PX, PACKAGE_FOLDER, SIDE_STEP_PX, WEIGHTS_PATH
from training.denoise.network import Denoiser
from training.denoise.synthetic import VALIDATION_SEED, add_noise, draw_image

ONNX_OPSET = 17

TOLERANCE = 1e-4
"""Largest difference that is allowed between results of the network and of the exported graph."""


def write_package(network: Denoiser) -> None:
    """Write the weights, the test arrays and the description into the folder of the package.

    Raises
    ------
    AssertionError
        If the exported graph and the network give different results for an image of any of several sizes.
    """
    _export(network, WEIGHTS_PATH)
    for height, width in ((144, 144), (160, 272), (512, 192)):
        _check_export(network, WEIGHTS_PATH, height, width)
    noisy = add_noise(draw_image(VALIDATION_SEED, MIN_SIDE_PX), noise=0.1, shot=0.5, seed=VALIDATION_SEED)[None, None]
    np.save(PACKAGE_FOLDER / "test_input.npy", noisy)
    np.save(PACKAGE_FOLDER / "test_output.npy", _apply(network, noisy))
    text = yaml.safe_dump(_description(), sort_keys=False, allow_unicode=True, width=110)
    (PACKAGE_FOLDER / "bioimageio.yaml").write_text(text, "utf-8")


def _export(network: Denoiser, path: Path) -> None:
    """Write the ONNX graph, with free batch size, height and width."""
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 10 * SIDE_STEP_PX, 12 * SIDE_STEP_PX),),
        path,
        input_names=["noisy"],
        output_names=["denoised"],
        dynamic_axes={name: {0: "batch", 2: "y", 3: "x"} for name in ("noisy", "denoised")},
        opset_version=ONNX_OPSET,
        dynamo=False,
    )


def _check_export(network: Denoiser, path: Path, height: int, width: int) -> None:
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
        "description": "Removes Poisson–Gaussian camera noise of any strength from grey-level images in any unit.",
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
        "inputs": [_tensor("noisy", "In any unit, with any offset.", {"min": MIN_SIDE_PX, "step": SIDE_STEP_PX})],
        "outputs": [_tensor("denoised", "In the unit of the input.", halo=HALO_PX)],
        "weights": {"onnx": {**_file("weights.onnx"), "opset_version": ONNX_OPSET}},
        "config": {
            "bioimageio": {"reproducibility_tolerance": [{"relative_tolerance": 0, "absolute_tolerance": TOLERANCE}]}
        },
    }


def _tensor(name: str, description: str, size: dict[str, int] | None = None, halo: int = 0) -> dict[str, Any]:
    """Describe the input, which has a `size`; or the output, which has that of the input."""
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
    return {"source": name, "sha256": hashlib.sha256((PACKAGE_FOLDER / name).read_bytes()).hexdigest()}
