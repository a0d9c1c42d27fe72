"""The format keeps the contract, and reads what other programs write."""

import numpy as np
from imgpool_pgm import PGM

from imgpool.testing import FormatContract


class TestPgm(FormatContract):
    formats = (PGM,)


def test_file_with_a_comment_is_read(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5\n# made by hand\n2 1\n65535\n\x01\x00\xff\xff")
    assert PGM.read(path).pixels.tolist() == np.array([[256, 65535]]).tolist()
