"""The folder of ``imgpool compare`` is removed at the end, whatever happens."""

import os
import shutil
import signal

import pytest

from imgpool.cli._interrupts import Interrupted
from imgpool.cli.compare import IMAGE_TIMEOUT_S, comparison_folder
from imgpool.core.errors import RunError
from imgpool.system import signal_watchdog
from imgpool.system.signal_watchdog import START_LIMIT_S, SignalDeadline, SignalWatchdog

INT, TERM = signal.SIGINT, signal.SIGTERM


def handlers():
    return [signal.getsignal(number) for number in (INT, TERM)]


def test_folder_exists_during_the_comparison(tmp_path):
    place = tmp_path / "place"
    with comparison_folder(str(place), keep=False):
        (place / "inside").mkdir()
    assert not place.exists()
    with comparison_folder(str(place), keep=True):
        (place / "inside").mkdir()
    assert (place / "inside").is_dir()


@pytest.mark.parametrize("number", [INT, TERM])
def test_signals_do_not_interrupt_the_removal(tmp_path, monkeypatch, number):
    place, before, real = tmp_path / "place", handlers(), shutil.rmtree
    removed = []

    def rmtree(*arguments, **options):
        os.kill(os.getpid(), number)
        removed.append(arguments[0])
        real(*arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(Interrupted) as caught, comparison_folder(str(place), keep=False):
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    assert removed == [str(place)]
    assert not place.exists()
    assert handlers() == before


def test_second_signal_is_ignored_during_unwinding(tmp_path):
    seen = []

    def unwind():
        try:
            os.kill(os.getpid(), INT)
        finally:
            os.kill(os.getpid(), INT)
            seen.append("went on")

    with pytest.raises(Interrupted), comparison_folder(str(tmp_path / "place"), keep=False):
        unwind()
    assert seen == ["went on"]


def test_folder_that_exists_is_neither_used_nor_removed(tmp_path):
    (tmp_path / "kept").touch()
    with pytest.raises(RunError, match="exists"), comparison_folder(str(tmp_path), keep=False):
        pass
    assert (tmp_path / "kept").exists()


def test_folder_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").touch()
    before = handlers()
    with pytest.raises(RunError, match="file"), comparison_folder(str(tmp_path / "file" / "place"), keep=False):
        pass
    assert handlers() == before


def test_signal_waits_for_an_image_that_holds_the_gil(tmp_path, monkeypatch):
    """Otherwise the watchdog would end the command before the folder is removed."""
    watchdog = SignalWatchdog(bytearray(4096))
    monkeypatch.setattr(signal_watchdog, "_watchdog", watchdog)

    def ends_after(seconds):
        deadline = SignalDeadline(watchdog._state)
        deadline.ends([INT], 0)
        return deadline.ends([INT], seconds)

    with comparison_folder(str(tmp_path / "place"), keep=False):
        assert not ends_after(IMAGE_TIMEOUT_S - 1)
        assert ends_after(IMAGE_TIMEOUT_S + 1)
    assert ends_after(START_LIMIT_S + 1)
