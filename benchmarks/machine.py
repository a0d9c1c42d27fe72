"""Description of the machine and the software that were measured."""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil

from imgpool import __version__
from imgpool.system.resources import available_cpus

PACKAGES = (
    "numpy", "opencv-python-headless", "imagecodecs", "simplejpeg", "tifffile", "pillow", "scikit-image", "scipy",
    "joblib", "mpire", "dask",
)  # fmt: skip
PROGRAMS: dict[str, Sequence[str]] = {
    "ImageMagick": ("convert-im6.q16", "-version"),
    "GraphicsMagick": ("gm", "version"),
    "libvips": ("vips", "--version"),
    "Java": ("java", "-version"),
}


def describe(folder: Path) -> dict[str, object]:
    """Return the machine, the file system of a folder, and the versions of everything that is measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": available_cpus(),
        "memory": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "folder": os.fspath(folder),
        "file system": file_system(folder),
        "versions": {"imgpool": __version__, "Python": platform.python_version(), **_packages(), **_programs()},
    }


def file_system(folder: Path) -> str:
    """Return the type of a folder's file system."""
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    return next(
        (mounts[above] for above in (folder.resolve(), *folder.resolve().parents) if above in mounts), "unknown"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    found = dict[str, str]()
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def _programs() -> dict[str, str]:
    return {name: _version(command) for name, command in PROGRAMS.items()}


def _version(command: Sequence[str]) -> str:
    """Return the first number with a dot in the version text of a program."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)  # noqa: S603 - a fixed list
    except (OSError, subprocess.TimeoutExpired):
        return "absent"
    found = re.search(r"\d+\.[\d.]+[-\d]*", (done.stdout + done.stderr).decode(sys.getdefaultencoding(), "replace"))
    return found[0] if found else "unknown"
