"""The hash chain: where it is broken, and what is no break."""

import io

import pytest

from imgpool.output.hash_chain import Damage, HashChain, add_checksum, last_checksum


def chained(*entries, previous=0):
    lines = []
    for entry in entries:
        line, previous = add_checksum(entry, previous)
        lines.append(line)
    return lines


LINES = chained(*(b'{"v":1,"run":"0123","target":"%d.png"}' % number for number in range(5)))
OLD = [b'{"v":1,"target":"old.png","failure":null}\n'] * 2


def damage_in(lines, expected=0):
    chain = HashChain({0, expected})
    assert list(chain.follow(lines)) == lines
    return chain.find_damage(expected)


def end_of(lines):
    return last_checksum(io.BytesIO(b"".join(lines)))


def test_a_chain_without_damage_has_none():
    assert damage_in([]) is None
    assert damage_in(LINES, expected=end_of(LINES)) is None


@pytest.mark.parametrize("number", range(len(LINES)))
def test_a_deleted_line_is_found(number):
    left = [*LINES[:number], *LINES[number + 1 :]]
    assert damage_in(left, expected=end_of(LINES)) == Damage(number + 1, 0, number + 1)


@pytest.mark.parametrize("number", range(len(LINES)))
@pytest.mark.parametrize("position", [0, 1, 14, 20, -22, -10, -3, -2])
def test_a_changed_byte_is_found_in_its_line(number, position):
    changed = bytearray(LINES[number])
    changed[position] ^= 1
    found = damage_in([*LINES[:number], bytes(changed), *LINES[number + 1 :]], expected=end_of(LINES))
    assert found.line == number + 1


@pytest.mark.parametrize("source", range(len(LINES)))
@pytest.mark.parametrize("place", range(len(LINES) + 1))
def test_a_repeated_line_is_found(source, place):
    found = damage_in([*LINES[:place], LINES[source], *LINES[place:]])
    assert found.line == place + 1 or (source == place and found.line == place + 2)


def test_a_line_that_was_moved_to_the_end_starts_no_chain():
    assert damage_in([*LINES[1:], LINES[0]]) == Damage(1, 1, 5)


def test_a_line_that_was_cut_off_is_passed_over():
    torn = LINES[2][:30] + b"\n"
    after = chained(b'{"v":1,"run":"4567","target":"after.png"}', previous=end_of(LINES[:2]))
    assert damage_in([*LINES[:2], torn, *after]) is None
    assert damage_in([*LINES[:2], torn, *LINES[3:]]) == Damage(3, 0, 4)


@pytest.mark.parametrize("end", [LINES[2][:-1], LINES[2][:-5], LINES[2][:30], b"\0" * 100])
def test_an_incomplete_last_line_is_no_damage(end):
    assert damage_in([*LINES[:2], end]) is None


def test_lines_of_older_versions_are_accepted():
    assert damage_in([*OLD, *LINES]) is None
    assert damage_in([*LINES, *OLD, *chained(b'{"run":"4567"}', previous=end_of(LINES))]) is None


def test_a_new_line_without_a_checksum_is_damaged():
    rewritten = LINES[1].replace(b",", b", ")
    assert damage_in([LINES[0], rewritten, *LINES[2:]]).line == 2


def test_chains_may_be_joined_but_not_repeated():
    other = chained(*(b'{"v":1,"run":"4567","target":"%d.png"}' % number for number in range(3)))
    assert damage_in([*LINES, *other]) is None
    assert damage_in([*LINES, *other, other[0]]).line == 9


def test_other_line_breaks_are_damage_in_every_line():
    lines = [line.replace(b"\n", b"\r\n") for line in LINES]
    assert damage_in(lines) == Damage(1, 4, 5)
    assert end_of(lines) == end_of(LINES)  # what follows continues the chain


def test_a_lost_end_is_found_by_the_expected_checksum():
    assert damage_in(LINES[:3], expected=end_of(LINES)) == Damage(4, 0, 4)


def test_watched_checksums_have_positions():
    values = [end_of(LINES[:number]) for number in range(6)]
    chain = HashChain(values)
    list(chain.follow([*OLD, *LINES]))
    assert [chain.positions[value] for value in values] == [2, 3, 4, 5, 6, 7]


def test_the_last_checksum_is_found_behind_what_was_cut_off():
    assert last_checksum(io.BytesIO(b"")) == 0
    assert last_checksum(io.BytesIO(b"".join(OLD))) == 0
    assert last_checksum(io.BytesIO(b"".join(LINES) + b"\0" * 500_000)) == end_of(LINES)
