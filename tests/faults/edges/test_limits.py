"""Limits of the system: the run continues with fewer workers or without any, or ends with a sentence and a remedy."""

import json
import os
import re

import imagecodecs
import numpy as np
import pytest

from tests.support.hashes import content_hash
from tests.support.limits import pids_limit, run_limited
from tests.support.scales import scaled

COUNT = 6
NO_SHARED_MEMORY = "mount -t tmpfs tmpfs /dev && touch /dev/null /dev/urandom"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits") / "in"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = generator.integers(0, 255, (32, 40), np.uint8)
        (folder / f"{number}.png").write_bytes(imagecodecs.png_encode(pixels))
    return folder


@pytest.fixture(scope="module")
def expected(photos, imgpool):
    """Name and hash of each result of a serial run."""
    output = photos.parent / "expected"
    assert imgpool("process", photos, "-o", output, "-f", "gaussian:sigma=1", "--serial").code == 0
    return hashes(output)


def hashes(output):
    return {path.name: content_hash(path.read_bytes()) for path in output.glob("*.png")}


def process(prelude, photos, output, *options):
    arguments = ("process", photos, "-o", output, "-f", "gaussian:sigma=1", "-j", "2", "--json", *options)
    return run_limited(prelude, *arguments, cwd=photos.parent)


def assert_form(err):
    """Every line is one of those that a run prints; no class name, no traceback."""
    assert "Traceback" not in err
    assert not re.search(r"\b[A-Z]\w+Error\b|Errno", err), err


def assert_all_done(outcome, output, expected):
    code, out, err = outcome
    assert code == 0, err
    data = json.loads(out)
    assert (data["done"], data["failed"], data["left"]) == (COUNT, 0, 0)
    assert hashes(output) == expected
    lines = (output / ".imgpool" / "journal.jsonl").read_text().splitlines()
    assert len(lines) == COUNT  # no task has run twice
    assert_form(err)
    for warning in data["warnings"]:
        assert f"! {warning}\n" in err
        assert "; to avoid this, " in warning
    return data["warnings"]


@pytest.mark.parametrize(
    ("prelude", "cause"),
    [
        ("mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full", "is full"),
        ("mount -t tmpfs -o ro tmpfs /dev/shm", "is read-only"),
        (NO_SHARED_MEMORY, "is missing"),
    ],
)
def test_run_without_shared_memory_needs_no_workers(photos, expected, tmp_path, prelude, cause):
    warnings = assert_all_done(process(prelude, photos, tmp_path / "out"), tmp_path / "out", expected)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"shared memory (/dev/shm) {cause}: continuing without workers")


@scaled(("count",), short=[(10,)], long=[(value,) for value in [9, 11, 12]])
def test_run_with_few_processes_needs_no_workers(photos, expected, tmp_path, count):
    outcome = process(pids_limit(count), photos, tmp_path / "out")
    warnings = assert_all_done(outcome, tmp_path / "out", expected)
    assert "continuing with 1 worker instead of 2" in warnings[0]
    assert "continuing without workers" in warnings[1]


@scaled(("count",), short=[(1,)], long=[(value,) for value in [1, 2, 3]])
def test_command_that_cannot_start_a_thread_has_a_remedy(photos, tmp_path, count):
    code, _, err = process(pids_limit(count), photos, tmp_path / "out")
    assert code == 3
    assert "imgpool: the limit of processes and threads is reached\n  → raise the limit" in err
    assert_form(err)


@scaled(("count",), short=[(12,), (22,)], long=[(value,) for value in range(6, 40)])
def test_few_open_files_end_the_run_or_are_enough(photos, expected, tmp_path, count):
    code, out, err = process(f"ulimit -n {count}", photos, tmp_path / "out")
    assert_form(err)
    if code == 0:
        assert_all_done((code, out, err), tmp_path / "out", expected)
    else:
        assert code == 3
        assert re.search(r"^imgpool: .*the limit of open files .*\n  → raise .*`ulimit -n", err, re.MULTILINE)
        assert hashes(tmp_path / "out").items() <= expected.items()


@scaled(("size",), short=[(200_000,)], long=[(value,) for value in range(100_000, 600_000, 50_000)])
def test_little_address_space_ends_the_run_or_is_enough(photos, expected, tmp_path, size):
    code, out, err = process(f"ulimit -v {size}", photos, tmp_path / "out")
    assert_form(err)
    if code == 0:
        assert_all_done((code, out, err), tmp_path / "out", expected)
    else:
        assert code in {1, 3}
        assert "ulimit -v" in err
        assert hashes(tmp_path / "out").items() <= expected.items()


@scaled(("blocks",), short=[(0,), (1,)], long=[(value,) for value in [0, 1, 2, 8]])
def test_limit_of_file_sizes_has_a_remedy(photos, tmp_path, blocks):
    code, _, err = process(f"ulimit -f {blocks}", photos, tmp_path / "out")
    assert code in {1, 3} or blocks
    assert "ulimit -f" in err
    assert_form(err)


@pytest.mark.parametrize("options", [(), ("--serial",)])
def test_run_without_proc_is_complete(photos, expected, tmp_path, options):
    outcome = process("mount -t tmpfs tmpfs /proc", photos, tmp_path / "out", *options)
    assert assert_all_done(outcome, tmp_path / "out", expected) == []


def test_error_of_the_recipe_is_not_hidden_by_a_limit(photos, tmp_path):
    """With a limit, the recipe is loaded in the parent process, and its error is the one that is reported."""
    (tmp_path / "weights").write_bytes(b"not a model")
    code, _, err = process(pids_limit(8), photos, tmp_path / "out", "-f", f"model:path={tmp_path / 'weights'}")
    assert code in {2, 3}
    assert "weights" in err
    assert "continuing" not in err
    assert_form(err)


def test_absolute_paths_need_no_current_folder(photos, expected, tmp_path):
    gone = "mkdir gone && cd gone && rmdir ../gone"
    assert assert_all_done(process(gone, photos, tmp_path / "out"), tmp_path / "out", expected) == []


def test_deleted_current_folder_is_named_where_it_matters(photos):
    code, _, err = run_limited("mkdir gone && cd gone && rmdir ../gone", "process", "in", cwd=photos.parent)
    assert code == 2
    assert err.splitlines() == [
        "imgpool: the current folder no longer exists",
        "  → change to another folder, then try again",
    ]


@pytest.mark.parametrize("arguments", [("process", "in", "--json"), ("process", "in", "-n"), ("filters",), ("--help",)])
def test_full_device_as_stdout_has_a_remedy(photos, tmp_path, arguments):
    output = ("-o", tmp_path / "out", "-f", "invert") if arguments[0] == "process" else ()
    code, _, err = run_limited("exec >/dev/full", *arguments, *output, cwd=photos.parent)
    assert code == 3
    assert err.splitlines()[-2:] == [
        "imgpool: stdout cannot be written: the disk is full",
        "  → free some space, then run the same command again",
    ]
    assert_form(err)
    if "--json" in arguments:
        assert len(hashes(tmp_path / "out")) == COUNT


@pytest.mark.parametrize("redirection", ["exec 2>/dev/full", "exec 2>&-", "exec 0<&- 2>&-"])
def test_stderr_that_cannot_be_written_does_not_matter(photos, expected, tmp_path, redirection):
    code, out, err = process(redirection, photos, tmp_path / "out")
    assert (code, err) == (0, "")
    assert json.loads(out)["done"] == COUNT
    assert hashes(tmp_path / "out") == expected


@pytest.mark.parametrize(
    "prelude",
    [
        "unset HOME TMPDIR",
        "export TMPDIR=/nonexistent HOME=/nonexistent",
        "mount -t tmpfs -o ro tmpfs /mnt && export TMPDIR=/mnt HOME=/mnt",
        f"mkdir -p {'x' * 120} && export TMPDIR=$PWD/{'x' * 120}",
    ],
)
def test_temporary_folder_and_home_are_not_needed(photos, expected, tmp_path, prelude):
    assert assert_all_done(process(prelude, photos, tmp_path / "out"), tmp_path / "out", expected) == []


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
UTF8 = {"LC_ALL": "C.UTF-8"}


def test_locales_share_one_output(photos, tmp_path):
    """Names in the journal do not depend on the locale; in ASCII, they are printed as escapes."""
    folder = tmp_path / "földer–日"
    folder.mkdir()
    os.link(photos / "0.png", folder / "ä 日.png")
    output = tmp_path / "out"
    for environment, done in ((ASCII, 1), (UTF8, 0), (ASCII, 0)):
        arguments = ("process", tmp_path, "-o", tmp_path.with_name("out-of-locales"), "-f", "invert", "--json")
        code, out, err = run_limited("true", *arguments, cwd=photos.parent, env=environment)
        assert (code, json.loads(out)["done"]) == (0, done), err
        assert_form(err)
        assert err.isascii() is (environment is ASCII)
    code, out, _ = run_limited("true", "verify", tmp_path.with_name("out-of-locales"), cwd=output.parent, env=UTF8)
    assert code == 0, out


@pytest.mark.parametrize("arguments", [("filters", "gaussian"), ("recipes",), ("process", "-h"), ("formats", "tiff")])
def test_listings_can_be_printed_in_ascii(photos, arguments):
    code, out, err = run_limited("true", *arguments, cwd=photos.parent, env=ASCII)
    assert (code, err) == (0, "")
    assert out.isascii()
