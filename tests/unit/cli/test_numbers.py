import re
from functools import partial

import pytest

from imgpool.cli._numbers import parse_count, parse_seconds, parse_whole
from imgpool.core.errors import UsageError


def test_numbers_are_parsed():
    assert (parse_count("3", "-j"), parse_count("auto", "-j")) == (3, None)
    assert (parse_whole("3", "--sample", example=20), parse_whole("0", "--retries", minimum=0, example=2)) == (3, 0)
    assert (parse_seconds("0", "--timeout"), parse_seconds("1.5", "--timeout")) == (0, 1.5)


@pytest.mark.parametrize(
    ("parse", "text", "accepted"),
    [
        *((parse_count, text, "an integer from 1, or auto") for text in ("0", "-1", "1.5", "many", "", "²")),
        *((partial(parse_whole, example=20), text, "an integer from 1") for text in ("0", "-1", "auto", "")),
        *((parse_seconds, text, "a number of seconds from 0") for text in ("-1", "nan", "1min", "")),
    ],
)
def test_other_text_is_refused_with_an_example(parse, text, accepted):
    with pytest.raises(UsageError) as refusal:
        parse(text, "--option")
    assert refusal.value.message == f"--option must be {accepted}, not {text}"
    assert re.fullmatch(r"for example --option \d+", refusal.value.hint)
