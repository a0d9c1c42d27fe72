"""The folder of ``imgpool compare``: there as long as it is needed, and no longer."""

import os
import shutil
import signal

import pytest

from imgpool.cli._interrupts import Interrupted
from imgpool.cli.compare import _folder
from imgpool.core.errors import RunError

INT, TERM = signal.SIGINT, signal.SIGTERM


def handlers():
    return [signal.getsignal(number) for number in (INT, TERM)]


def test_it_is_there_meanwhile(tmp_path):
    place = tmp_path / "place"
    with _folder(str(place), keep=False):
        (place / "inside").mkdir()
    assert not place.exists()
    with _folder(str(place), keep=True):
        (place / "inside").mkdir()
    assert (place / "inside").is_dir()


@pytest.mark.parametrize("number", [INT, TERM])
def test_the_first_signal_unwinds_and_nothing_disturbs_the_removal(tmp_path, monkeypatch, number):
    place, before, real = tmp_path / "place", handlers(), shutil.rmtree
    removed = []

    def rmtree(*arguments, **options):
        os.kill(os.getpid(), number)
        removed.append(arguments[0])
        real(*arguments, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(Interrupted) as caught, _folder(str(place), keep=False):
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    assert removed == [str(place)]
    assert not place.exists()
    assert handlers() == before


def test_a_second_signal_is_not_heeded_while_all_unwinds(tmp_path):
    seen = []

    def unwind():
        try:
            os.kill(os.getpid(), INT)
        finally:
            os.kill(os.getpid(), INT)
            seen.append("went on")

    with pytest.raises(Interrupted), _folder(str(tmp_path / "place"), keep=False):
        unwind()
    assert seen == ["went on"]


def test_where_nothing_can_be_made_it_is_said(tmp_path):
    (tmp_path / "file").touch()
    before = handlers()
    with pytest.raises(RunError, match="file"), _folder(str(tmp_path / "file" / "place"), keep=False):
        pass
    assert handlers() == before
