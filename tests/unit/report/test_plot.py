"""Plots of a comparison."""

import sys

import pytest

from imgpool.batch.plan import make_plan
from imgpool.batch.settings import RunSettings
from imgpool.core.errors import RunError, UsageError
from imgpool.report.plot import check_plot, draw
from tests.support.comparisons import comparison_of
from tests.support.small_runs import BLUR, write_png


@pytest.fixture
def plan(tmp_path):
    for name in ("a", "b", "c"):
        write_png(tmp_path / "in" / f"{name}.png")
    (tmp_path / "out").mkdir()
    return make_plan(RunSettings((str(tmp_path / "in"),), BLUR, str(tmp_path / "out"), workers=4))


@pytest.fixture
def compared(plan):
    return comparison_of(plan)


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_plot_is_drawn_in_the_format_of_its_extension(compared, tmp_path, name, begins):
    pytest.importorskip("matplotlib")
    check_plot(str(tmp_path / name), [str(tmp_path / "in")])
    draw(compared, str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("a.tar", "cannot write this format"),
        ("no extension", "cannot write this format"),
        ("absent/a.png", "the folder does not exist"),
        ("in/a.png", "is inside the input"),
    ],
)
def test_invalid_plot_file_is_refused(plan, tmp_path, name, word):  # noqa: ARG001 - creates the input
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match=word):
        check_plot(str(tmp_path / name), [str(tmp_path / "in")])


def test_plot_on_another_drive_than_the_input_is_accepted(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")

    def refuse(_paths):
        raise ValueError("Paths don't have the same drive")  # as on Windows

    monkeypatch.setattr("os.path.commonpath", refuse)
    check_plot(str(tmp_path / "a.png"), [str(tmp_path / "in")])


def test_missing_matplotlib_is_explained(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(UsageError) as caught:
        check_plot(str(tmp_path / "a.png"), [])
    assert "imgpool[plot]" in caught.value.hint


def test_plot_that_cannot_be_written_is_an_error(compared, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(RunError, match="curves"):
        draw(compared, str(tmp_path / "absent" / "curves.png"))
