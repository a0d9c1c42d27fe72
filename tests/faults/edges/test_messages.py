"""Every error of every command has the documented form: one line, a remedy in the next, the documented exit code."""

import io
import json
import re
import shutil
import signal
import sys

import imagecodecs
import numpy as np
import pytest
from PIL import Image as PillowImage

from imgpool import read
from imgpool.cli._app import main
from imgpool.core.errors import ReadError
from tests.conftest import Outcome
from tests.support.warm_start import WarmCommand

CLASS_NAME = re.compile(
    r"\b(?!ImageJ|WebP)[A-Z][a-z]+[A-Z]\w*\b|\b[A-Z]\w+(Error|Exception|Warning)\b|Errno|<class|0x[0-9a-f]{6}"
)
"""Names of classes, and other words of programmers."""

RUN_LINE = re.compile(r"^(✗ \d.* done · |  Run the same command again|\S.* · .* → |  )")
"""Lines that a run prints besides errors: its first line, its counts, advice."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of files of all kinds: images, recipes, outputs of runs, and much that is none of these."""
    folder = tmp_path_factory.mktemp("messages")
    (folder / "in").mkdir()
    (folder / "empty").mkdir()
    (folder / "one").mkdir()
    pixels = np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)
    for name in ("in/a.png", "in/b.png", "one/a.png"):
        (folder / name).write_bytes(imagecodecs.png_encode(pixels))
    write_recipes(folder)
    (folder / "text.txt").write_text("no image")
    (folder / "weights.onnx").write_bytes(b"no model")
    command = WarmCommand()
    code, _, err = command.run(["process", "in", "-o", "out", "-f", "invert"], folder, {}, 100)
    command.close()
    assert code == 0, err
    damage_outputs(folder)
    return folder


def write_recipes(folder):
    recipes = {
        "bracket": "steps: [invert",
        "tab": "steps:\n\t- invert",
        "tag": "steps: [!!python/name:os.system '']",
        "typo": "steps: [{gausian: {sigma: 1}}]",
        "type": "steps: [{gaussian: {sigma: [1]}}]",
        "list": "- invert",
        "number": "5",
        "nothing": "",
        "control": "name: a\0",
        "deep": "a: " + "[" * 5000,
        "alias": "a: &x [*x]",
        "steps": "steps: 5",
        "output": "steps: [invert]\noutput: {format: nope}",
        "key": "stepps: [invert]",
    }
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)
    (folder / "latin.yaml").write_bytes(b"name: \xff")


def damage_outputs(folder):
    state = {}
    for name in ("journal-newer", "run-newer", "journal-folder", "run-nested"):
        shutil.copytree(folder / "out", folder / name)
        state[name] = folder / name / ".imgpool"
    (state["journal-newer"] / "journal.jsonl").write_text('{"v": 99}\n')
    run = json.loads((state["run-newer"] / "run.json").read_text())
    (state["run-newer"] / "run.json").write_text(json.dumps({**run, "v": 99}))
    (state["journal-folder"] / "journal.jsonl").unlink()
    (state["journal-folder"] / "journal.jsonl").mkdir()
    (state["run-nested"] / "run.json").unlink()
    (state["run-nested"] / "run.json").mkdir()


RECIPES = [
    "bracket", "tab", "tag", "typo", "type", "list", "number", "nothing", "control", "deep", "alias", "steps", "output",
    "key", "latin", "missing",
]  # fmt: skip

USAGE_ERRORS = [
    "--nope", "nope", "proces in", "process", "process --nope in", "process in -o", "process in --serial=3",
    "process in --serial --engine pool", "process missing", "process empty", "process text.txt", "process in/a.png/x",
    "process in -o in", "process in -o in/x", "process in -o text.txt", "process in -o text.txt/x", "process in -j 0",
    "process in -j x", "process in -j 1.5", "process in --chunksize 0", "process in --timeout x",
    "process in --timeout -1", "process in --timeout nan", "process in --retries -1", "process in --retries x",
    "process in --max-memory x", "process in --max-memory 0", "process in --max-memory -1GiB",
    "process in --max-pixels 0", "process in --max-pixels x", "process in --pixel-size 0.3",
    "process in --pixel-size x", "process in --pixel-size 3px", "process in --engine nope", "process in --to nope",
    "process in --to jpeg:quality=x", "process in --to jpeg:quality=999", "process in --to jpeg:qualty=9",
    "process in --to :", "process in -r nope", "process in -r nope.yaml", "process in -r enhance -f invert",
    "process in -f nope", "process in -f gausian", "process in -f gaussian:sigma", "process in -f gaussian:sigma=",
    "process in -f gaussian:sigma=x", "process in -f gaussian:sigma=-1", "process in -f gaussian:sigma=1,sigma=2",
    "process in -f gaussian:sigma=1e999", "process in -f gaussian:nope=1", "process in -f gaussian:,",
    "process in -f resize:2048", "process in -f resize", "process in -f resize:scale=0", "process in -f crop:top=x",
    "process in -f skimage.nope", "process in -f skimage.filters.nope", "process in -f :", "process in -f model",
    "process in -f model:path=nope", "process in -f model:path=weights.onnx",
    "process in -f flat_field:flat=nope.tif", "process in -f threshold:method=nope",
    "process one -o out -f invert --nope", "compare", "compare missing", "compare empty", "compare in --rounds x",
    "compare in --rounds 0", "compare in --sample x", "compare in --plot text.txt/x.png -f nope", "compare in -j x",
    "compare in -r nope", "estimate nope", "estimate flat-field", "estimate flat-field in",
    "estimate flat-field empty -o f.tif", "estimate flat-field missing -o f.tif",
    "estimate flat-field in -o in/a.png", "estimate flat-field in -o f.png", "estimate flat-field in -o f.nope",
    "estimate flat-field in -o f.tif --limit 0", "estimate flat-field in -o f.tif -j x",
    "estimate flat-field in -o f.tif --dark nope.tif", "status", "status missing", "status empty", "status in",
    "status text.txt", "status out x", "verify", "verify missing", "verify empty", "verify in", "verify text.txt",
    "verify out x", "status journal-newer", "verify journal-newer", "process in -o journal-newer -f invert",
    "status run-newer", "process in -o run-newer -f invert", "filters nope", "filters a b", "recipes nope",
    "formats nope", "models nope", "models weights.onnx", "models text.txt",
]  # fmt: skip
"""Command lines with exit code 2: nothing was started."""

RUN_ERRORS = ["status journal-folder", "process in -o journal-folder -f invert"]
"""Command lines with exit code 3: the run could not continue."""


def assert_error(outcome, code):
    assert outcome.code == code, outcome.stderr
    assert outcome.stdout == ""
    lines = [line for line in outcome.stderr.splitlines() if not RUN_LINE.match(line) or line.startswith("  → ")]
    assert len(lines) == 2, outcome.stderr
    message, remedy = lines
    assert re.match(r"imgpool: \S", message)
    assert re.match(r"  → \S", remedy)
    assert "Traceback" not in outcome.stderr
    assert not CLASS_NAME.search(re.sub(r"'[^']*'|`[^`]*`", "", outcome.stderr)), outcome.stderr
    assert not message.endswith((".", "!")), message
    assert not re.match(r"imgpool: [A-Z][a-z]", message), message


@pytest.mark.parametrize("arguments", USAGE_ERRORS)
def test_usage_error_has_the_documented_form(folder, monkeypatch, capfd, arguments):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["imgpool", *arguments.split()])
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(SystemExit) as caught:
            main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert_error(Outcome(caught.value.code, *capfd.readouterr()), 2)


@pytest.mark.parametrize("name", RECIPES)
def test_error_of_a_recipe_file_has_the_documented_form(imgpool, folder, name):
    outcome = imgpool("process", "in", "-r", f"{name}.yaml", cwd=folder)
    assert_error(outcome, 2)
    assert f"{name}.yaml" in outcome.stderr


@pytest.mark.parametrize("arguments", RUN_ERRORS)
def test_error_of_a_run_has_the_documented_form(imgpool, folder, arguments):
    assert_error(imgpool(*arguments.split(), cwd=folder), 3)


@pytest.mark.parametrize("arguments", ["process in -o out -f nope", "status in", "filters nope", "compare missing"])
def test_json_does_not_change_the_form_of_errors(imgpool, folder, arguments):
    assert_error(imgpool(*arguments.split(), "--json", cwd=folder), 2)


def test_paths_in_errors_are_relative_to_the_current_folder(imgpool, folder):
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine" / "a.png").write_text("mine")
    for arguments in ("process in -o in/x", "status empty", "process one -o mine -f invert", "process text.txt"):
        err = imgpool(*arguments.split(), cwd=folder).stderr
        assert str(folder) not in err, err


@pytest.mark.parametrize("damage", ["nested", "bad date", "list", "text", "binary"])
@pytest.mark.parametrize("command", ["status", "verify", "process"])
def test_damaged_state_is_no_error(imgpool, folder, tmp_path, damage, command):
    """Unreadable lines and run files are ignored; what they cannot prove is checked, or made again."""
    output = tmp_path / "out"
    shutil.copytree(folder / "out", output)
    state = output / ".imgpool"
    run = json.loads((state / "run.json").read_text())
    damages = {
        "nested": b"[" * 200_000,
        "bad date": json.dumps({**run, "since": "yesterday", "ended": "2026-13-45T99:99Z"}).encode(),
        "list": b"[]",
        "text": b"nothing",
        "binary": bytes(range(256)),
    }
    (state / "run.json").write_bytes(damages[damage])
    with (state / "journal.jsonl").open("ab") as file:
        file.write(damages[damage] + b"\n")
    words = ("process", folder / "in", "-o", output, "-f", "invert") if command == "process" else (command, output)
    outcome = imgpool(*words, cwd=folder)
    assert outcome.code == 0, outcome.stderr
    assert not CLASS_NAME.search(outcome.stderr)


@pytest.mark.parametrize("name", ["JPEG", "GIF", "BMP", "WEBP", "PNG", "TIFF"])
def test_message_of_a_damaged_image_is_in_our_own_words(tmp_path, name):
    """What a decoder says is the cause of the error, and appears in the traceback only."""
    buffer = io.BytesIO()
    PillowImage.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(buffer, name)
    original = np.frombuffer(buffer.getvalue(), np.uint8)
    generator = np.random.default_rng(0)
    path = tmp_path / f"image.{'tif' if name == 'TIFF' else name.lower()}"
    errors = []
    for _ in range(60):
        damaged = original.copy()
        damaged[generator.integers(0, min(len(damaged), 200), 4)] = generator.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes()[: generator.integers(20, len(damaged) + 1)])
        try:
            read(path)
        except ReadError as error:
            errors.append(error)
    assert errors
    for error in errors:
        assert error.hint, error.message
        assert not CLASS_NAME.search(error.message), error.message
        cause = error.__cause__ or error.__context__
        if cause and str(cause) and not type(cause).__module__.startswith("imgpool"):
            assert str(cause) not in error.message, error.message
