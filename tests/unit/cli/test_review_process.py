"""What the last review of the command found."""

import errno
import json

import numpy as np
import pytest
import typer

from imgpool.batch.run import Run, Settings
from imgpool.cli.process import _run
from imgpool.core.image import Image
from imgpool.core.recipe import Recipe
from imgpool.report.console import Reporter
from imgpool.work.files import write
from tests.support.past_runs import read_journal


@pytest.fixture
def run(tmp_path):
    (tmp_path / "photos").mkdir()
    write(Image.from_array(np.zeros((4, 4), np.uint8)), tmp_path / "photos" / "a.png")
    return Run(Settings((str(tmp_path / "photos"),), Recipe.from_specs(["invert"]), engine="serial"))


def test_the_counts_of_a_run_add_up_where_a_folder_could_not_be_listed(run, tmp_path, capsys):
    closed = PermissionError(errno.EACCES, "Permission denied")
    run.scan.unreadable.append(
        (str(tmp_path / "photos" / "closed"), closed)
    )  # tests run as root, whom chmod never stops
    with pytest.raises(typer.Exit) as left:
        _run(run, as_json=True, verbosity=0)
    told = json.loads(capsys.readouterr().out)
    assert (left.value.exit_code, told["found"], told["done"], told["failed"]) == (1, 2, 1, 1)


def test_an_interruption_while_a_result_is_shown_still_journals_it(run, monkeypatch):
    def interrupt(_reporter, _result):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "show", interrupt)
    with pytest.raises(KeyboardInterrupt) as raised:  # whose traceback keeps the run's frames alive
        _run(run, as_json=False, verbosity=0)
    assert raised.tb
    assert [record.status for record in read_journal(run.output).values()] == ["done"]
