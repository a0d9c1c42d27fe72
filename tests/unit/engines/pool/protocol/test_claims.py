import multiprocessing
import os

from imgpool.engines.pool.protocol.claims import Claim, Claims


def test_a_claim_stands_from_taking_to_dropping():
    claims = Claims(multiprocessing.get_context("spawn"), slots=3)
    assert list(claims) == []
    claims.claim(1, 0)
    assert list(claims) == [Claim(os.getpid(), 0, 0.0)]
    claims.claim(1, 17, 2.5)
    assert list(claims) == [Claim(os.getpid(), 17, 2.5)]
    claims.claim(2, 5)
    claims.drop(1)
    assert list(claims) == [Claim(os.getpid(), 5, 0.0)]


def test_claims_of_a_process_are_seen_by_its_parent_and_outlive_it():
    context = multiprocessing.get_context("spawn")
    claims = Claims(context, slots=2)
    process = context.Process(target=Claims.claim, args=(claims, 1, 9, 60.0))
    process.start()
    process.join()
    assert list(claims) == [Claim(process.pid, 9, 60.0)]


def test_the_command_to_stop_reaches_other_processes():
    context = multiprocessing.get_context("spawn")
    claims = Claims(context, slots=2)
    assert not claims.stopped
    process = context.Process(target=Claims.stop, args=(claims,))
    process.start()
    process.join()
    assert claims.stopped
    assert list(claims) == []
