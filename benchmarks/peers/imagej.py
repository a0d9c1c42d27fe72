"""ImageJ: one Java process per processor, each of which runs a macro over its share of the files."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import Command
from benchmarks.peers.method import Job, Method

JAR = Path("/usr/share/java/ij.jar")  # its path on Debian
MACRO = Path(__file__).parent / "imagej.ijm"


def methods() -> list[Method]:
    """Return ImageJ as a method for the median."""
    return [Method("ImageJ", _commands, each_round=False, note="disk-shaped median; uncompressed", missing=_missing())]


def _missing() -> str:
    absent = [name for name in ("java", "Xvfb") if not shutil.which(name)] + ["ij.jar"] * (not JAR.exists())
    return f"{', '.join(absent)} not installed" if absent else ""


def _commands(job: Job) -> list[Command]:
    java = ["java", "-XX:ActiveProcessorCount=1", "-Xmx2g", "-cp", os.fspath(JAR), "ij.ImageJ", "-batch", str(MACRO)]
    return [Command([*java, f"{job.folder}/|{job.output}/|{number}|{job.workers}"]) for number in range(job.workers)]


@contextlib.contextmanager
def display() -> Iterator[None]:
    """Provide a virtual screen, which ImageJ needs; without Xvfb do nothing."""
    if not shutil.which("Xvfb"):
        yield
        return
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:  # noqa: S603 - a fixed command
        assert server.stdout
        os.environ["DISPLAY"] = f":{server.stdout.readline().decode().strip()}"
        try:
            yield
        finally:
            server.terminate()
