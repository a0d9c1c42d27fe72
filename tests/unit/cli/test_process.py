"""``imgpool process``, from a plan to the exit code."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import typer

from imgpool.cli.process import run_plan
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.report.console import Reporter
from imgpool.work.files import write
from tests.support import small_runs
from tests.support.past_runs import read_journal


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "photos").mkdir()
    write(Image.from_array(np.zeros((4, 4), np.uint8)), tmp_path / "photos" / "a.png")
    return small_runs.plan_for(tmp_path / "photos", recipe=Recipe.from_specs(["invert"]))


def test_counts_add_up_if_a_folder_could_not_be_listed(plan, tmp_path, capsys):
    closed = PermissionError(errno.EACCES, "Permission denied")  # tests run as root, whom a mode never stops
    unreadable = ((str(tmp_path / "photos" / "closed"), closed),)
    plan = replace(plan, scan=replace(plan.scan, unreadable=unreadable))
    with pytest.raises(typer.Exit) as left:
        run_plan(plan, as_json=True, verbosity=0)
    summary = json.loads(capsys.readouterr().out)
    assert (left.value.exit_code, summary["found"], summary["done"], summary["failed"]) == (1, 2, 1, 1)


def test_result_shown_during_an_interruption_is_journalled(plan, monkeypatch):
    def interrupt(_reporter, _result):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "show", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:  # whose traceback keeps the frames of the run alive
        run_plan(plan, as_json=False, verbosity=0)
    assert raised.tb
    assert [record.status for record in read_journal(plan.output).values()] == ["done"]
