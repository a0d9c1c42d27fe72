"""The hash chain of the journal, by which a flipped bit and a deleted, added or moved line are found.

Each line ends with a checksum: the XXH3 of the rest of the line, seeded with the checksum of the line before. The first
line of a journal is seeded with 0. Lines of older versions have no checksum and are accepted. A line that a crash has
cut off is passed over: the next line continues from the last complete one.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

FIELD = b',"checksum":"'
"""Begin of the last field of a line."""

_END_LENGTH = len('0123456789abcdef"}\n')
_END = re.compile(re.escape(FIELD) + rb'([0-9a-f]{16})"\}\r?\n?\Z')

_BLOCK_BYTES = 1024 * 1024

_TAIL_BYTES = (64 * 1024, 1024 * 1024)
"""How much of the end of a journal is searched for its last checksum: first little, then more."""


def add_checksum(entry: bytes, previous: int) -> tuple[bytes, int]:
    """Return an encoded entry as a line with its checksum, and the checksum.

    Parameters
    ----------
    entry
        A JSON object.
    previous
        The checksum of the line before; 0 for the first.
    """
    from xxhash import xxh3_64_intdigest

    start = entry[:-1] + FIELD
    checksum = xxh3_64_intdigest(start, previous)
    return b'%b%016x"}\n' % (start, checksum), checksum


def last_checksum(file: BinaryIO) -> int:
    """Return the last checksum in a journal: what the next line continues from; 0 if there is none."""
    size = file.seek(0, os.SEEK_END)
    for length in _TAIL_BYTES:
        file.seek(max(0, size - length))
        for line in reversed(file.read(length).splitlines(keepends=True)):
            if match := _END.search(line):
                return int(match[1], 16)
    return 0


@dataclass(frozen=True, slots=True)
class Damage:
    """Damaged lines of a journal.

    Attributes
    ----------
    line
        Number of the first, beginning with 1. For lost lines, it is the number of the line after them.
    more
        How many there are besides it.
    last
        Number of the last.
    """

    line: int
    more: int
    last: int


@dataclass(frozen=True, slots=True)
class IntactJournal:
    """A journal that was found to be intact.

    Attributes
    ----------
    size
        Its size in bytes.
    digest
        Hash of all its bytes.
    """

    size: int
    digest: str


def digest_journal(file: BinaryIO) -> IntactJournal:
    """Hash a whole journal. This takes a tenth of the time of following its chain, and shows whether it has changed."""
    from xxhash import xxh3_128

    digest = xxh3_128()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return IntactJournal(file.tell(), digest.hexdigest())


def digest_continued(file: BinaryIO, before: IntactJournal, checksum: int) -> str:
    """Hash a journal that continues an intact one; empty if the intact part has changed, or the rest is damaged.

    Parameters
    ----------
    file
        The journal, at its start.
    before
        The intact part.
    checksum
        The last checksum in it.
    """
    from xxhash import xxh3_128

    digest, left, chain = xxh3_128(), before.size, HashChain({0}, checksum)
    while block := file.read(min(left, _BLOCK_BYTES)):
        digest.update(block)
        left -= len(block)
    if digest.hexdigest() != before.digest:
        return ""
    for line in chain.follow(file):
        digest.update(line)
    return "" if chain.find_damage(0) else str(digest.hexdigest())


class HashChain:
    """Follows the lines of a journal and notes where the chain is broken.

    Parameters
    ----------
    watched
        Checksums whose lines are looked for.
    checksum
        The checksum that the first line continues from.

    Attributes
    ----------
    checksum : int
        The checksum of the last line that has one; 0 before the first.
    lines : int
        Number of lines followed.
    positions : dict of int to int
        For each watched checksum that was found, the number of the last line up to which it was the latest one. A
        journal begins with the checksum 0.
    """

    def __init__(self, watched: Iterable[int] = (), checksum: int = 0) -> None:
        self.checksum = checksum
        self.lines = 0
        self.positions: dict[int, int] = {}
        self._first_damaged = self._last_damaged = self._damaged = 0
        self._watched = frozenset(watched)
        self._starts: set[int] = set()
        self._suspects = range(0)
        self._damaged_line = b""
        if 0 in self._watched:
            self.positions[0] = 0

    def follow(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield every line unchanged."""
        from xxhash import xxh3_64_intdigest as digest

        checksum, number, watched = self.checksum, self.lines, self._watched
        try:
            for line in lines:
                self.lines = number = number + 1
                computed = digest(line[:-_END_LENGTH], checksum)
                if checksum and line[-_END_LENGTH:] == b'%016x"}\n' % computed:
                    checksum = computed
                else:
                    checksum = self._check_irregular(line, number, checksum)
                if checksum in watched:
                    self.positions[checksum] = number
                yield line
        finally:
            self.checksum = checksum

    def is_damaged(self, line: bytes) -> bool:
        """Whether the line that `follow` has yielded last has a wrong checksum."""
        return line is self._damaged_line

    def find_damage(self, expected: int) -> Damage | None:
        """Return what is damaged in the lines so far; None if nothing is.

        Parameters
        ----------
        expected
            A watched checksum. If no line has it, the end of the journal was lost.
        """
        first, last, damaged = self._first_damaged, self._last_damaged, self._damaged
        if expected not in self.positions:
            lost = self._suspects if self._suspects.stop == self.lines + 1 else range(self.lines + 1, self.lines + 2)
            first, last, damaged = first or lost.start, lost.stop - 1, damaged + 1
        return Damage(first, damaged - 1, last) if damaged else None

    def _check_irregular(self, line: bytes, number: int, previous: int) -> int:
        """Check a line that does not simply continue the chain; return the checksum that the next one continues."""
        if match := _END.search(line):
            checksum = int(match[1], 16)
            if line.endswith(b"\r\n") or not self._may_follow(line[: match.start(1)], checksum, number, previous):
                self._add_damage(self._suspects.start if self._suspects.stop == number else number, number)
                self._damaged_line = line
            return checksum
        if line.strip() and not _is_of_older_version(line):
            self._suspects = range(self._suspects.start if self._suspects.stop == number else number, number + 1)
        return previous

    def _may_follow(self, start: bytes, checksum: int, number: int, previous: int) -> bool:
        """Whether a line continues the chain, or starts one, as where journals were joined; but no line starts two.

        After damage, the start of a chain may also be a line that was moved.
        """
        from xxhash import xxh3_64_intdigest as digest

        if previous and digest(start, previous) == checksum:  # the last line, without its line break
            return True
        lost = previous and self._suspects.stop == number
        if lost or self._damaged or checksum in self._starts or digest(start, 0) != checksum:
            return False
        self._starts.add(checksum)
        return True

    def _add_damage(self, first: int, last: int) -> None:
        self._first_damaged = self._first_damaged or first
        self._last_damaged = last
        self._damaged += 1


def _is_of_older_version(line: bytes) -> bool:
    """Whether a line looks like one that was written before lines had checksums."""
    return line.startswith(b"{") and line.rstrip().endswith(b"}") and b'"run":' not in line
