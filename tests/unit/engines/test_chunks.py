from itertools import islice

from imgpool.engines._chunks import chunk_lengths, cut


def test_ten_thousand_thumbnails_begin_with_long_chunks_and_end_with_single_ones():
    lengths = list(chunk_lengths([4_000] * 10_000, workers=2))
    assert lengths[0] == 25
    assert lengths[-1] == 1


def test_big_images_go_one_by_one():
    assert list(chunk_lengths([30_000_000] * 7, workers=2)) == [1] * 7


def test_big_first_then_small():
    lengths = list(chunk_lengths([8_000_000] * 3 + [1_000] * 200, workers=2))
    assert lengths[:3] == [1, 1, 1]
    assert max(lengths[3:]) > 8


def test_a_given_chunk_size():
    assert list(chunk_lengths([1] * 10, workers=4, chunksize=4)) == [4, 4, 2]


def test_no_tasks_no_chunks():
    assert list(chunk_lengths([], workers=4)) == []
    assert list(chunk_lengths([], workers=4, chunksize=3)) == []


def test_lengths_are_asked_for_one_at_a_time():
    def lengths():
        yield 2
        yield 1
        raise AssertionError("asked for too early")

    assert list(islice(cut("abcdef", lengths()), 2)) == [("a", "b"), ("c",)]
