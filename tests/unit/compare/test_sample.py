"""The sample of images to compare on."""

from imgpool.compare.measurement import EngineSetup
from imgpool.compare.sample import choose_sample, flush_writes, read_files
from imgpool.core.task import Task
from tests.support.comparisons import done, failed, measurement


def task(source, size=10):
    return Task(source, f"out/{source}", size, 0)


TASKS = [task(f"{size:03}", size) for size in range(100)]


def pilot(seconds_per_image):
    """A pilot run in which every image takes the given time, or fails if that is None."""

    def measure(tasks):
        results = {
            each.source: failed(each.source)
            if seconds_per_image is None
            else done(each.source, task=each, seconds={"filter": seconds_per_image})
            for each in tasks
        }
        return measurement(EngineSetup("pool", 2), 1.0, results)

    return measure


def test_sample_starts_with_the_largest_file():
    sample = choose_sample(TASKS, 10, 4, pilot(None))
    sizes = [each.size for each in sample]
    assert (len(sizes), sizes[0], sizes[-1]) == (10, 99, 0)
    assert sizes == sorted(sizes, reverse=True)


def test_sample_size_follows_from_the_time_of_the_pilot():
    assert len(choose_sample(TASKS, None, 4, pilot(0.001))) == 100
    assert 15 <= len(choose_sample(TASKS, None, 4, pilot(0.5))) <= 25
    assert len(choose_sample(TASKS, None, 4, pilot(60))) == 4


def test_smallest_sample_is_taken_if_the_whole_pilot_fails():
    assert len(choose_sample(TASKS, None, 4, pilot(None))) == 4


def test_unreadable_files_are_skipped_when_files_are_cached(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert read_files([task(str(tmp_path / "a")), task(str(tmp_path / "absent")), task(str(tmp_path))]) > 0


def test_flushing_a_missing_folder_is_no_error(tmp_path):
    flush_writes(str(tmp_path))
    flush_writes(str(tmp_path / "absent"))
