"""Named pipes in the place of imgpool's own files: each command ends at once with one sentence."""

import os

import pytest

PROCESS, DRY_RUN = ["process", "IN", "-o"], ["process", "IN", "-n", "-o"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (PROCESS, "journal.jsonl"),
        (PROCESS, "lock"),
        (DRY_RUN, "journal.jsonl"),
        (["status"], "run.json"),
        (["verify"], "journal.jsonl"),
        (["verify"], ""),
    ],
)
def test_a_pipe_never_blocks_a_command(imgpool, photos, tmp_path, words, name):
    output = tmp_path / "out"
    pipe = output / ".imgpool" / name
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    done = imgpool(*[photos if word == "IN" else word for word in words], output, timeout=30)
    assert (done.code, done.stdout) == (3, "")
    assert "is a named pipe, where imgpool needs a f" in " ".join(done.stderr.split())
    assert "move it away" in " ".join(done.stderr.split())
    assert os.listdir(output) == [".imgpool"]
    assert name == "" or os.listdir(pipe.parent) == [name]
