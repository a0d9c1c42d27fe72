import multiprocessing
import os

from imgpool.engines.pool.protocol.claims import Claim, Claims


def test_claim_lasts_until_it_is_replaced_or_released():
    claims = Claims(multiprocessing.get_context("spawn"), slots=3)
    assert list(claims) == []
    claims.claim(1, 0)
    assert list(claims) == [Claim(os.getpid(), 0, 0.0)]
    claims.claim(1, 17, 2.5)
    assert list(claims) == [Claim(os.getpid(), 17, 2.5)]
    claims.claim(2, 5)
    claims.release(1)
    assert list(claims) == [Claim(os.getpid(), 5, 0.0)]


def test_claim_is_seen_by_the_parent_and_outlives_its_process():
    context = multiprocessing.get_context("spawn")
    claims = Claims(context, slots=2)
    process = context.Process(target=Claims.claim, args=(claims, 1, 9, 60.0))
    process.start()
    process.join()
    assert list(claims) == [Claim(process.pid, 9, 60.0)]


def test_stop_flag_reaches_other_processes():
    context = multiprocessing.get_context("spawn")
    claims = Claims(context, slots=2)
    assert not claims.stopped
    process = context.Process(target=Claims.stop, args=(claims,))
    process.start()
    process.join()
    assert claims.stopped
    assert list(claims) == []
