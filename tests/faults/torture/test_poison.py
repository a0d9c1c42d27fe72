"""Files that crash their decoder, and filters and models that end their process: each is named, the rest is done."""

import itertools
import os
import shutil

import imagecodecs

from tests.support.scales import scaled

POISON = {
    "00000": ("crash", 1, "SIGSEGV"),
    "00013": ("hang", 2, "TimeoutError"),
    "00026": ("exit 7", 3, "exit code 7"),
    "00039": ("eat", 4, "MemoryError"),
}
"""By the name of a good image of the same size: the command in the file, the pixel with the same meaning, the error."""

SHORT = ("--timeout", 5, "--max-memory", "256MiB", "--retries", 0)
LONG = ("--timeout", 5, "--max-memory", "1GiB")


@scaled(
    ("where", "chunksize", "count", "limits"),
    short=[("decoder", 50, 40, SHORT), ("filter", "auto", 40, SHORT)],
    long=list(itertools.product(("decoder", "filter"), ("auto", 50), (200,), (LONG,))),
)
def test_four_poisoned_images_fail_and_the_rest_is_done(place, where, chunksize, count, limits):
    row = place.row(f"crash, hang, exit, eat in a {where}, {count} good images, chunks {chunksize}")
    folder, expected = place.images(count)
    poisoned = {"decoder": _poison_files, "filter": _poison_pixels}[where]
    mixed, bad = poisoned(folder, place.folder / "in")
    steps = ("-f", "poisoned", "-f", "gaussian") if where == "filter" else ("-f", "gaussian")
    options = ("-j", 2, "--chunksize", chunksize, *limits, "--json")
    outcome = place.process(mixed, place.folder / "out", *options, steps=steps).wait()
    row.rounds = 1
    if row.ended(outcome, 1):
        row.reported(outcome, place.folder / "out", {*expected, *bad})
        row.identical(place.folder / "out", expected, place.temporary)
        failures = {os.path.basename(each["source"]): each["error"] for each in outcome.json["failures"]}
        row.expect(failures == bad, f"failed: {failures} instead of {bad}")
    assert not row.verdict


def _poison_files(folder, mixed):
    """Add files of the poison format."""
    shutil.copytree(folder, mixed)
    for name, (text, _, _) in POISON.items():
        length = (folder / f"{name}.png").stat().st_size
        (mixed / f"{name}.poison").write_bytes(text.encode().ljust(length))
    return mixed, {f"{name}.poison": error for name, (_, _, error) in POISON.items()}


def _poison_pixels(folder, mixed):
    """Add images with a pixel that is a command to the filter."""
    shutil.copytree(folder, mixed)
    for name, (_, number, _) in POISON.items():
        pixels = imagecodecs.png_decode((folder / f"{name}.png").read_bytes())
        pixels[0, 0] = number
        (mixed / f"x{name}.png").write_bytes(imagecodecs.png_encode(pixels))
    return mixed, {f"x{name}.png": error for name, (_, _, error) in POISON.items()}


MAX_PROCESSES = 50  # a bare Pool starts more than this in a second, and never stops
MODEL_ERRORS = {
    "raise": "weights.onnx",
    "exit": "exit code 9",
    "crash": "SIGSEGV",
    "kill": "SIGKILL",
    "hang": "could not be set up in time",
}
"""How a model ends its process while it loads, and what the message must contain."""


@scaled(
    ("how", "workers", "timeout"),
    short=[("raise", 2, 60), ("crash", 2, 60)],
    long=[(how, workers, 5 if how == "hang" else 60) for how in MODEL_ERRORS for workers in (2, 8)],
)
def test_model_that_does_not_load_ends_the_run(place, how, workers, timeout):
    row = place.row(f"initializer: {how}, pool of {workers}")
    notes = place.folder / "notes"
    notes.mkdir()
    steps = ("-f", f"bad_model:how={how},notes={notes}")
    outcome = place.process(
        place.images(200)[0], place.folder / "out", "-j", workers, "--timeout", timeout, "--json", steps=steps
    ).wait()
    row.rounds = 1
    if row.ended(outcome, 3):
        errors = [line for line in outcome.stderr.splitlines() if line.startswith("imgpool: ")]
        row.expect(len(errors) == 1 and MODEL_ERRORS[how] in errors[0], f"stderr: {outcome.stderr}")
        row.identical(place.folder / "out", {}, place.temporary)
    started = len(list(notes.iterdir()))
    row.expect(0 < started < MAX_PROCESSES, f"{started} processes were set up")
    row.remarks.append(f"{started} processes were set up")
    assert not row.verdict
