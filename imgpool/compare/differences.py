"""Images whose result depends on how they were run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.measurement import EngineSetup
from imgpool.core.task import Result


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """An image whose result differs from that of the serial run.

    Attributes
    ----------
    source
        Path of the image.
    where
        The setup or method with the different result.
    how
        The difference, in words.
    """

    source: str
    where: EngineSetup | PoolMethod
    how: str


def find_differences(
    serial: Mapping[str, Result], others: Iterable[tuple[EngineSetup | PoolMethod, Mapping[str, Result]]]
) -> list[OutputDifference]:
    """Find the images whose result differs from that of the serial run.

    Parameters
    ----------
    serial
        Results of the serial run, by source.
    others
        Results of other runs, by source, each with its setup or method.

    Returns
    -------
    list of OutputDifference
        One for each image and different result, sorted by source; repeated ones are listed once.
    """
    found = {
        OutputDifference(source, where, how): None
        for where, results in others
        for source, expected in serial.items()
        if (how := _describe_difference(expected, results.get(source)))
    }
    return sorted(found, key=lambda difference: difference.source)


def _describe_difference(serial: Result, result: Result | None) -> str:
    if result is None:
        return "no result"
    (status, detail), expected = _essentials(result), _essentials(serial)
    if (status, detail) == expected:
        return ""
    if status == "failed":
        return f"failed: {detail}; the serial run {f'failed: {expected[1]}' if serial.failure else 'succeeded'}"
    return f"succeeded; the serial run failed: {expected[1]}" if serial.failure else "different bytes"


def _essentials(result: Result) -> tuple[str, str]:
    """Return the part of a result that must not depend on the setup: the bytes, or the kind of failure."""
    failure = result.failure
    return ("failed", f"{failure.stage} · {failure.error}") if failure else ("done", result.sha256)
