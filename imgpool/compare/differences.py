"""Whether images came out the same wherever they were run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imgpool.compare.bare_pool import PoolMethod
from imgpool.compare.measurer import EngineSetup
from imgpool.core.task import Result


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """An image that came out otherwise than serially: where, and how."""

    source: str
    where: EngineSetup | PoolMethod
    how: str


def differences(
    serial: Mapping[str, Result], others: Iterable[tuple[EngineSetup | PoolMethod, Mapping[str, Result]]]
) -> list[OutputDifference]:
    """Every image that came out otherwise than serially, once for each way in which it did.

    Parameters
    ----------
    serial
        The results that the others have to agree with, by source.
    others
        Results from elsewhere.
    """
    found = {
        OutputDifference(source, where, how): None
        for where, results in others
        for source, expected in serial.items()
        if (how := _difference(expected, results.get(source)))
    }
    return sorted(found, key=lambda each: each.source)


def _outcome(result: Result) -> tuple[str, str]:
    """What must be the same everywhere: the bytes, or in what way it failed."""
    failure = result.failure
    return ("failed", f"{failure.stage} · {failure.error}") if failure else ("done", result.sha256)


def _difference(serial: Result, result: Result | None) -> str:
    if result is None:
        return "no answer"
    (status, detail), expected = _outcome(result), _outcome(serial)
    if (status, detail) == expected:
        return ""
    if status == "failed":
        return f"failed: {detail}; serially {expected[1] if serial.failure else 'it was done'}"
    return f"done; serially it failed: {expected[1]}" if serial.failure else "other bytes"
