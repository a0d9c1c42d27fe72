"""The number of the process, which must be right in forked processes too."""

import os

from imgpool.system.process_id import process_id


def test_process_id_is_the_number_of_this_process():
    assert process_id() == os.getpid()


def test_process_id_is_right_in_a_forked_process():
    process_id()
    child = os.fork()
    if not child:
        os._exit(0 if process_id() == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert process_id() == os.getpid()
