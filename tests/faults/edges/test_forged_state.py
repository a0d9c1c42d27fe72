"""Forged run files and crafted names: nothing outside is deleted or opened, and names stay data."""

import fcntl
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict

import pytest

from imgpool.output.status import Status
from imgpool.system.temporary import MARKER
from tests.support.run_files import run_of
from tests.support.serial_runs import process, verify
from tests.support.small_runs import write_png
from tests.support.special_files import snapshot

STATE = ".imgpool"
TOKEN = "0123456789abcdef"

FORGED = {
    "token": ["..", "../../outside", "/", "", ".", "a/b", "\0", "a\nb", "x" * 300, None, 7, ["tmp"], {"a": "b"}],
    "pid": ["self", "../../etc", -1, 0, 2**70, 1.5, None],
    "unsettled": ["tmp", [["a"]], [7], None, {"a": 1}],
    "journal": [-1, "7", 1e300, None],
    "since": ["yesterday", "", 7, None, "2026-02-31T00:00:00Z"],
    "host": [7, None, ["a"]],
    "v": [None, "one", [], -(2**70)],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FORGED.items() for value in values])
def test_a_forged_run_file_is_no_run_file(photos, output, outside, field, value):
    fields = asdict(run_of(token=TOKEN, process_started=1.0)) | {field: value}
    (output / STATE / "run.json").write_text(json.dumps(fields))
    (output / STATE / "tmp" / "kept").mkdir(parents=True)
    before = snapshot(outside)
    assert Status(str(output)).state == "unknown"
    assert process(photos, output) == ["done"] * 2
    assert (output / STATE / "tmp" / "kept").exists()
    assert snapshot(outside) == before


@pytest.mark.parametrize("text", ["", "null", "[]", "7", "{", "[" * 100_000, '{"v": 1}', "\0" * 100])
def test_a_run_file_without_sense_is_no_run_file(photos, output, text):
    (output / STATE / "run.json").write_text(text)
    assert Status(str(output)).state == "unknown"
    assert process(photos, output) == ["done"] * 2


@pytest.mark.parametrize("marked", [False, True])
def test_a_forged_socket_folder_is_never_removed(photos, output, tmp_path, monkeypatch, marked):
    """The run file once named the folder of the sockets of a run; only the folder itself can prove whose it is."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    folders = [tmp_path / "pymp-home", tmp_path / "tmp" / "pymp-link", tmp_path / "tmp" / "pymp-of-a-live-run"]
    for folder in (folders[0], folders[2]):
        folder.mkdir(parents=True)
        (folder / "kept").touch()
        if marked:
            (folder / MARKER).touch()
    folders[1].symlink_to(folders[0])
    with open(folders[2] / "kept") as kept, suppress(FileNotFoundError), open(folders[2] / MARKER) as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        for folder in folders:
            fields = asdict(run_of(process_started=1.0)) | {"sockets": str(folder)}
            (output / STATE / "run.json").write_text(json.dumps(fields))
            process(photos, output)
        assert os.fstat(kept.fileno()).st_nlink == 1
    assert (folders[0] / "kept").exists()
    assert folders[1].is_symlink()
    assert (folders[2] / "kept").exists()


CRAFTED = [
    "$(touch PWNED)", "`touch PWNED`", "; touch PWNED #", "a\ntouch PWNED\nb", "'\"; touch PWNED; '\"", "a\rb",
    "\x1b[2J", "{}\\", "%s%n", "--output=PWNED", "a..b", "\udcff", "\u202egnp.a", "\t", '","target":"x","z":"',
]  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_names_of_sources_stay_data(tmp_path, name):
    """A line of the journal is one JSON object, whatever the name is; no name becomes a second line or a command."""
    write_png(tmp_path / "in" / f"{name}.png", 8)
    write_png(tmp_path / "in" / "failed" / f"{name}.png", 8).write_bytes(b"no image")
    assert sorted(process(tmp_path / "in", tmp_path / "out")) == ["done", "failed"]
    lines = (tmp_path / "out" / STATE / "journal.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == 2
    assert {json.loads(line)["target"] for line in lines} == {f"{name}.png", f"failed/{name}.png"}
    assert all(os.path.exists(json.loads(line)["source"]) for line in lines)
    assert not any(byte < 32 for line in lines for byte in line)
    assert [file.state for file in verify(tmp_path / "out")].count("intact") == 1
    assert not list(tmp_path.rglob("PWNED"))


@pytest.mark.parametrize("token", ["../../outside/file", "/etc/passwd", "..", "", "lock", "\0"])
def test_forged_tokens_of_interrupted_runs_lead_nowhere(photos, output, outside, token):
    forged = {"token": token, "key": "k", "checksum": 0}
    fields = asdict(run_of(token=TOKEN, process_started=1.0)) | {"unsettled": [forged]}
    (output / STATE / "run.json").write_text(json.dumps(fields))
    (output / STATE / "planned").mkdir()
    before = snapshot(outside)
    assert process(photos, output) == ["done"] * 2
    assert process(photos, output) == ["skipped"] * 2
    assert snapshot(outside) == before


def test_files_that_imgpool_did_not_make_stay(photos, output):
    """Whatever the run file says, and also after a run that was killed."""
    dead = asdict(run_of(token=TOKEN, process_started=1.0))
    (output / STATE / "run.json").write_text(json.dumps(dead))
    names = ["notes.txt", "tmp/thesis/a.tex", "tmp/a.png", "planned/thesis", "intents/thesis.tex", "replaced/x/a.png"]
    names += ["run-thesis.tmp", "run.tmp", "tmp/0123456789abcdee/a.png", "run-0123456789abcdee.tmp"]
    for name in names:
        (output / STATE / name).parent.mkdir(parents=True, exist_ok=True)
        (output / STATE / name).write_text("kept")
    assert process(photos, output) == ["done"] * 2
    assert [name for name in names if not (output / STATE / name).exists()] == []
