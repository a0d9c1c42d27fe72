"""Command-line tools, one process per processor by ``xargs -P``.

Each tool gets several files at once if it accepts them, with the options that a user would give. Tools whose default
compression of PNG is slow are measured a second time with the fastest compression ("level 1").
"""

import shutil
from collections.abc import Callable

from benchmarks.measuring import Command
from benchmarks.peers.method import Job, Method

Words = Callable[[Job], list[str]]

IMAGEMAGICK = {
    "photos": "-define jpeg:size=2048x2048 -resize 1024x1024 -unsharp 0x1+1+0 -quality 90",
    "gaussian": "-blur 0x2 -compress Zip",
    "stretch": "-contrast-stretch 0.35%x0.35% -depth 8 -format png",
    "stretch, level 1": "-contrast-stretch 0.35%x0.35% -depth 8 -quality 11 -format png",
    "median": "-statistic Median 5x5 -compress Zip",
    "tiny": "-blur 0x1",
    "tiny, level 1": "-blur 0x1 -quality 11",
}
GRAPHICSMAGICK = {
    "photos": "-size 2048x2048 -resize 1024x1024 -unsharp 0x1+1+0 -quality 90",
    "gaussian": "-blur 0x2 -compress Zip",
    "stretch": "-set histogram-threshold 0.35 -normalize -depth 8 -format png",
    "stretch, level 1": "-set histogram-threshold 0.35 -normalize -depth 8 -quality 11 -format png",
    "median": "-median 2 -compress Zip",
    "tiny": "-blur 0x1",
    "tiny, level 1": "-blur 0x1 -quality 11",
}
VIPS = {
    "gaussian": ("gaussblur", "[compression=deflate]", "2", "--min-ampl", "0.01"),
    "median": ("rank", "[compression=deflate]", "5", "5", "12"),
}
LEVEL_1 = ", level 1"


def methods(work: str) -> list[Method]:
    """List the tools that can do this work."""
    found = list[Method]()
    for level in ("", LEVEL_1):
        if (work + level) in IMAGEMAGICK:
            found += [_imagemagick(work, level), _graphicsmagick(work, level)]
    if work == "photos":
        found.append(_xargs("vipsthumbnail", "vipsthumbnail", _vipsthumbnail, note="does not sharpen"))
    if work in VIPS:
        found.append(_vips(work))
    return found


def _imagemagick(work: str, level: str) -> Method:
    program = shutil.which("mogrify-im6.q16") or shutil.which("mogrify") or "mogrify"
    words = IMAGEMAGICK[work + level].split()
    return _xargs(f"ImageMagick{level}", program, lambda job: ["-path", str(job.output), *words], each_round=False)


def _graphicsmagick(work: str, level: str) -> Method:
    words = GRAPHICSMAGICK[work + level].split()
    start = ["mogrify", "-output-directory"]
    each_round = work in {"stretch", "tiny"}  # where it is the fastest tool, or the target
    return _xargs(f"GraphicsMagick{level}", "gm", lambda job: [*start, str(job.output), *words], each_round=each_round)


def _vipsthumbnail(job: Job) -> list[str]:
    return ["-s", "1024x1024", "-o", f"{job.output}/%s.jpg[Q=90]"]


def _vips(work: str) -> Method:
    """Return the method for vips, which takes one file and the name of its result; xargs fills in both."""
    operation, options, *parameters = VIPS[work]

    def words(job: Job) -> list[str]:
        return [operation, "{}", f"{job.output}/{{}}{options}", *parameters]

    note = "by vips rank" if operation == "rank" else "with whole numbers"
    return _xargs("vips", "vips", words, one=True, note=note)


def _xargs(
    name: str, program: str, words: Words, *, one: bool = False, each_round: bool = True, note: str = ""
) -> Method:
    """Return a method that runs ``program words… files…``."""

    def commands(job: Job) -> list[Command]:
        batch = max(1, min(200, len(job.names) // (4 * job.workers)))
        several = ["-I", "{}"] if one else ["-n", str(batch)]
        line = ["xargs", "-d", "\\n", "-P", str(job.workers), *several, program, *words(job)]
        return [Command(line, job.names, job.folder)]

    return Method(name, commands, each_round, note, "" if shutil.which(program) else f"{program} is not installed")
