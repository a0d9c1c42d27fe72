"""An image that fails while the output of an earlier run is there: the failure says so, whatever failed."""

import numpy as np
import pytest

import imgpool

OLDER = "its output is still that of an earlier run"
VERY_SLOW = "skimage.restoration.denoise_tv_chambolle:max_num_iter=10000,eps=0"


@pytest.fixture
def photos(tmp_path):
    """A folder of one image that has been processed once."""
    folder = tmp_path / "photos"
    folder.mkdir()
    imgpool.write(imgpool.Image.from_array(np.eye(1000, dtype=np.uint8)), folder / "a.png")
    assert [result.status for result in imgpool.process(folder, engine="serial")] == ["done"]
    return folder


def test_older_output_of_an_unreadable_file_is_named(photos):
    (photos / "a.png").write_bytes(b"")
    (result,) = imgpool.process(photos, engine="serial")
    assert result.failure.hint.endswith(OLDER)


def test_older_output_of_a_timed_out_task_is_named(photos):
    (result,) = imgpool.process(photos, filters=[VERY_SLOW], timeout=4, retries=0)
    assert result.failure.stage == "worker"
    assert result.failure.hint.endswith(OLDER)


def test_missing_older_output_is_not_mentioned(photos):
    (photos.with_name("photos-processed") / "a.png").unlink()
    (photos / "a.png").write_bytes(b"")
    (result,) = imgpool.process(photos, engine="serial")
    assert OLDER not in result.failure.hint
