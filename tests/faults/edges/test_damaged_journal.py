"""A damaged journal is noticed; every output is right or named, and nothing is lost that a hash can prove."""

import random
import shutil

import pytest

from imgpool.output.layout import journal_path
from imgpool.output.status import Status
from imgpool.output.verify import Verification
from tests.support.interrupted_runs import contents, recipe, write_photos
from tests.support.scales import scaled
from tests.support.small_runs import plan_for, run, statuses

COUNT = 6
A, B = recipe("a", "npy"), recipe("b", "npy")


def flip_a_bit(chance, data):
    damaged = bytearray(data)
    damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def delete_a_line(chance, data):
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def pad_with_zeros(chance, data):
    """Overwrite a part of the file, as after a power cut on some file systems."""
    start = chance.randrange(len(data))
    length = min(chance.choice((1, 100, 4096)), len(data) - start)
    return data[:start] + b"\0" * length + data[start + length :]


def insert_zeros(chance, data):
    start = chance.randrange(len(data))
    return data[:start] + b"\0" * 512 + data[start:]


def change_line_breaks(_chance, data):
    return data.replace(b"\n", b"\r\n")


def duplicate_a_line(chance, data):
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randint(0, len(lines)), chance.choice(lines))
    return b"".join(lines)


def move_a_line(chance, data):
    lines = data.splitlines(keepends=True)
    line = lines.pop(chance.randrange(len(lines) - 1))
    lines.append(line)
    return b"".join(lines)


def cut_off_the_end(chance, data):
    return data[: chance.randrange(len(data) - 1)]


DAMAGES = [
    flip_a_bit, delete_a_line, pad_with_zeros, insert_zeros, change_line_breaks, duplicate_a_line, move_a_line,
    cut_off_the_end,
]  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos"), COUNT)


@pytest.fixture(scope="module")
def twice_finished(photos, tmp_path_factory):
    """An output that recipe A has finished, then recipe B for half of the images; and what A and B make."""
    output = tmp_path_factory.mktemp("twice") / "out"
    run(photos, output=str(output), recipe=A)
    results = {"a": contents(output)}
    half = [photos / f"{number}.png" for number in range(COUNT // 2)]
    run(*half, output=str(output), recipe=B)
    return output, results | {"both": contents(output)}


@scaled(
    ("damage", "rounds"),
    short=[(damage, 3) for damage in DAMAGES],
    long=[(damage, 60) for damage in DAMAGES],
)
def test_damage_is_noticed_and_never_silently_wrong(photos, twice_finished, tmp_path, damage, rounds):
    """Whichever recipe comes next, its outputs are its own, or their images fail with a name."""
    chance = random.Random(damage.__name__)
    source, results = twice_finished
    for number in range(rounds):
        output = tmp_path / str(number)
        shutil.copytree(source, output)
        journal = journal_path(str(output))
        data = journal.read_bytes()
        damaged = damage(chance, data)
        journal.write_bytes(damaged)
        settings = {"output": str(output), "recipe": A}
        plan = plan_for(photos, **settings)
        assert plan.damage, f"round {number}"
        assert plan.damage.line <= data.count(b"\n") + 1
        assert Status(str(output)).damage == Verification(str(output)).damage == plan.damage
        made = run(photos, **settings)
        named = {result.task.target for result in made if result.status == "failed"}
        wrong = {name for name, content in contents(output).items() if content != results["a"][name]}
        assert {str(output / name) for name in wrong} == named, f"round {number}"
        assert len(made) == COUNT


@pytest.mark.parametrize("damage", [*DAMAGES[:4], duplicate_a_line])
def test_equal_outputs_are_kept_after_damage(photos, tmp_path, damage):
    """Where the damaged journal cannot say what is there, the result is made again and found to be equal."""
    output = tmp_path / "out"
    settings = {"output": str(output), "recipe": A}
    run(photos, **settings)
    expected = contents(output)
    before = {path: path.stat().st_ino for path in output.glob("*.npy")}
    journal = journal_path(str(output))
    journal.write_bytes(damage(random.Random(1), journal.read_bytes()))
    assert "failed" not in statuses(run(photos, **settings))
    assert contents(output) == expected
    assert {path: path.stat().st_ino for path in output.glob("*.npy")} == before
    assert not plan_for(photos, **settings).tasks  # the records after the damage settle all targets


def test_damage_is_explained(imgpool, photos, tmp_path):
    output = tmp_path / "out"
    command = ["process", photos, "-o", output, "-f", "invert", "--serial"]
    assert imgpool(*command).code == 0
    journal = journal_path(str(output))
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"status":"done"', b'"status":"dome"')
    journal.write_bytes(b"".join(lines))
    sentence = "the journal is damaged in line 3: a run checks the outputs by their hashes"
    for words in ((*command, "-n"), ("status", output), ("verify", output)):
        outcome = imgpool(*words)
        assert (outcome.code, sentence in outcome.stdout) == (0, True)
    outcome = imgpool(*command)
    assert (outcome.code, outcome.stderr.count(sentence)) == (0, 1)
    assert imgpool(*command, "--json", "-n").json["damaged_line"] == 3


def test_a_run_over_other_images_hides_no_damage(photos, tmp_path):
    output = tmp_path / "out"
    settings = {"output": str(output), "recipe": A}
    run(photos, **settings)
    journal = journal_path(str(output))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    before = plan_for(photos, **settings)
    for _ in range(2):
        run(write_photos(tmp_path / "more" / "plate", 2, seed=2).parent, **settings, fresh=True)
    after = plan_for(photos, **settings)
    assert after.damage == before.damage
    assert after.reasons == before.reasons
