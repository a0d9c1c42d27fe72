"""Counts of a run."""

import json

import pytest

from imgpool.core.task import Failure, Result, Task
from imgpool.report.tally import Tally


def result(status, name="a.png", hint="copy it again", lost=()):
    failure = Failure("read", "ReadError", "cut off", hint, "Traceback …") if status == "failed" else None
    return Result(Task(f"/photos/{name}", f"/out/{name}", 10, 20), status, failure, lost=lost)


def counted(*results):
    tally = Tally(found=len(results))
    for each in results:
        tally.add(each)
    return tally


def test_each_result_is_counted_by_its_status():
    tally = counted(result("done"), result("failed"), result("skipped"), result("done"), result("failed"))
    assert (tally.done, tally.failed, tally.skipped) == (2, 2, 1)


@pytest.mark.parametrize(
    ("results", "code"),
    [((), 0), (("done",), 0), (("skipped",), 0), (("failed",), 1), (("done", "failed", "done"), 1)],
)
def test_the_exit_code_is_one_if_an_image_failed(results, code):
    assert counted(*map(result, results)).exit_code == code


def test_lost_metadata_is_counted_by_kind():
    tally = counted(result("done", lost=("exif", "icc")), result("done", lost=("exif",)), result("skipped"))
    assert dict(tally.lost) == {"exif": 2, "icc": 1}


def test_skipped_images_do_not_raise_the_rate():
    tally = counted(result("skipped"), result("skipped"))
    assert tally.rate == 0
    tally = counted(result("done"), result("failed"), result("skipped"))
    tally.started -= 10
    assert tally.rate == pytest.approx(0.2, rel=0.05)
    assert tally.seconds == pytest.approx(10, rel=0.05)


def test_the_rate_is_zero_at_the_start():
    tally = Tally(found=1, clock=lambda: 5.0)
    tally.add(result("done"))
    assert (tally.seconds, tally.rate) == (0, 0)


def test_json_has_the_documented_keys():
    tally = counted(result("done"), result("failed", "\udcff\n.png"), result("failed", hint=""), result("skipped"))
    data = json.loads(json.dumps(tally.as_dict()))
    assert list(data) == ["found", "done", "skipped", "failed", "left", "seconds", "images_per_second", "failures"]
    assert [data[key] for key in ("found", "done", "skipped", "failed", "left")] == [4, 1, 1, 2, 0]
    assert data["failures"] == [
        {"source": "/photos/\udcff\n.png", "stage": "read", "error": "ReadError", "message": "cut off: copy it again"},
        {"source": "/photos/a.png", "stage": "read", "error": "ReadError", "message": "cut off"},
    ]
