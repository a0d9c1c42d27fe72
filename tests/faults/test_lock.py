"""Runs of several processes into one output folder: simultaneous, killed, and suspended ones."""

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from imgpool.core.recipe import Recipe
from imgpool.output import run_file
from imgpool.output.layout import run_path
from imgpool.output.lock import OutputLock
from imgpool.output.unsettled import PlannedRun, UnsettledTargets
from tests.support.hashes import output_hashes
from tests.support.lock_tasks import compete, stand_still
from tests.support.run_files import run_of
from tests.support.runs import command, records
from tests.support.small_runs import run, write_png

SPAWN = multiprocessing.get_context("spawn")
SLOW = "skimage.restoration.denoise_tv_chambolle:max_num_iter=300,eps=0"
VERY_SLOW = SLOW.replace("300", "10000")
TIMEOUT_S = 120


def wait_for(condition):
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("rounds", "locks", "hosts"),
    [(40, True, False), (4, False, False), (4, False, True)],
    ids=["locks", "no locks", "no locks, several machines"],
)
def test_one_of_several_simultaneous_runs_gets_the_folder(tmp_path, rounds, locks, hosts):
    folders = [str(tmp_path / f"out{number}") for number in range(rounds)]
    together, outcomes = SPAWN.Barrier(4, timeout=TIMEOUT_S), SPAWN.Queue()
    options = {"locks": locks, "hosts": hosts}
    processes = [
        SPAWN.Process(target=compete, args=(folders, together, outcomes), kwargs=options, daemon=True) for _ in range(4)
    ]
    for process in processes:
        process.start()
    reports = [outcomes.get(timeout=TIMEOUT_S) for _ in range(4 * rounds)]
    for process in processes:
        process.join(TIMEOUT_S)
        assert process.exitcode == 0
    by_folder = defaultdict(dict)
    for folder, pid, refusal in reports:
        by_folder[folder][pid] = refusal
    for answers in by_folder.values():
        (winner,) = [pid for pid, refusal in answers.items() if not refusal]
        named = [winner] if locks else answers  # the winner, or one that was ahead at that moment
        assert all(any(f"pid {pid} on" in refusal for pid in named) for refusal in answers.values() if refusal)


def start_command(folder, output, *words, recipe=SLOW):
    """Start ``imgpool process``."""
    arguments = command("process", folder, "-o", output, "-f", recipe, *words)
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def photos(tmp_path):
    for number in range(12):
        write_png(tmp_path / "photos" / f"{number}.png", 100)
    return tmp_path / "photos"


def test_a_second_command_is_refused_and_names_the_first(photos, tmp_path):
    write_png(photos / "large.png", 1500)
    first = start_command(photos, tmp_path / "out", "-j", "2", recipe=VERY_SLOW)
    wait_for(run_path(str(tmp_path / "out")).exists)
    second = start_command(photos, tmp_path / "out", "--serial")
    stderr = second.communicate(timeout=TIMEOUT_S)[1]
    assert second.returncode == 3
    assert f"another run is writing into {tmp_path / 'out'}: pid {first.pid} on {socket.gethostname()}, since" in stderr
    assert f"kill {first.pid}" in stderr
    assert first.poll() is None
    first.kill()
    first.communicate()


IN_A_FORKED_POOL = f"""
import sys, imgpool
for result in imgpool.process(sys.argv[1], output=sys.argv[2], filters=[{SLOW!r}], start_method="fork", workers=2):
    print(result.status, flush=True)
"""


def test_orphaned_workers_do_not_keep_the_lock(photos, tmp_path):
    words = [sys.executable, "-c", IN_A_FORKED_POOL, photos, tmp_path / "out"]
    first = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "done\n"
    first.kill()
    second = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=True)
    first.communicate()
    assert set(second.stdout.split()) <= {"done", "skipped"}
    assert len(output_hashes(tmp_path / "out")) == 12


def test_a_suspended_run_that_lost_the_folder_stops(tmp_path):
    """As on a sleeping laptop, with the output on a share without locks."""
    output = tmp_path / "out"
    sleeper = SPAWN.Process(target=stand_still, args=(str(output),), kwargs={"host": "laptop"}, daemon=True)
    sleeper.start()
    notes = tmp_path / "notes"
    wait_for(notes.exists)
    os.kill(sleeper.pid, signal.SIGSTOP)
    try:
        os.utime(run_path(str(output)), (time.time() - 70, time.time() - 70))
        with OutputLock(str(output), run_of(to_do=0), UnsettledTargets(str(output), PlannedRun())) as held:
            scratch = output / ".imgpool" / "tmp" / "ours"
            scratch.mkdir(parents=True)
            (tmp_path / "go").touch()
            os.kill(sleeper.pid, signal.SIGCONT)
            sleeper.join(TIMEOUT_S)
            assert f"another run took over {output}" in notes.read_text()
            assert f"pid {os.getpid()} on" in notes.read_text()
            assert run_file.read(str(output)) == held.info
            assert scratch.is_dir()
        assert list(records(output)) == []
    finally:
        sleeper.kill()


def kill(running, output, pause):
    """Kill a run some time after its next output, or after its start if the pause is negative."""
    before = len(list(output.glob("*.png")))
    wait_for(lambda: run_path(str(output)).exists() or running.poll() is not None)
    if pause >= 0:
        wait_for(lambda: len(list(output.glob("*.png"))) > before or running.poll() is not None)
    time.sleep(abs(pause))
    running.kill()
    stderr = running.communicate()[1]
    assert running.returncode in {-signal.SIGKILL, 0}, stderr


@pytest.mark.parametrize("words", [["--serial"], pytest.param(["-j", "2"], marks=pytest.mark.slow)])
def test_outputs_of_killed_runs_are_never_foreign_files(photos, tmp_path, words):
    """A killed run leaves outputs that are not in the journal; the next run replaces them."""
    output, unknown = tmp_path / "out", 0
    for pause in (0, -random.random() / 3, random.random() / 3):
        kill(start_command(photos, output, *words), output, pause)
        unknown += len(output_hashes(output).keys() - {record["target"] for record in records(output)})
    last = start_command(photos, output, *words)
    assert "was not written by imgpool" not in last.communicate(timeout=TIMEOUT_S)[1]
    assert last.returncode == 0
    run(photos, output=str(tmp_path / "expected"), recipe=Recipe.from_specs([SLOW]))
    assert unknown > 0
    assert output_hashes(output) == output_hashes(tmp_path / "expected")
    assert sorted(path.name for path in (output / ".imgpool").iterdir()) == ["journal.jsonl", "lock", "run.json"]
    assert run_file.read(str(output)).unsettled == ()
