"""What the last review of the journal found."""

import pytest

from imgpool.output.layout import journal_path
from tests.support.past_runs import read_journal


@pytest.mark.parametrize("line", [b'{"v": Infinity}', b'{"v": NaN}', b"[1]", b'"v"', b"1", b"null"])
def test_a_line_of_valid_json_that_is_no_record_is_passed_over(tmp_path, line):
    path = journal_path(str(tmp_path))
    path.parent.mkdir()
    path.write_bytes(line + b"\n")
    assert read_journal(str(tmp_path)) == {}
