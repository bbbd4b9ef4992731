"""Rolling: everything archived is read back within the policy's ``verify_within_s``, one part at a time, over restarts.

The archive is divided as :mod:`pipeline.domain.selection` divides it, into as many parts as there are turns in that time.
A part that was verified leaves a record under lock; what stands follows from those records alone, so nothing else has to
be remembered. Rules:

1. The part whose last verification is the longest ago is next; parts never verified come first, in order.
2. A part counts as verified while its newest record is younger than ``verify_within_s``, also when something in it failed:
   a failure stands until a later turn of that part finds none.
3. The oldest unchecked part dates from its own newest record, and one that was never verified from the first record there is.
4. Another number of parts is another division: older records say nothing about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.domain.canonical import canonical, plain
from pipeline.domain.selection import Part
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.domain.verify import Item

VERIFIED_FORMAT: Final = "unbroken.verified.v1"
TOLD: Final = 100
"""Failures a record tells; ``failures`` counts all."""
_KEY: Final = re.compile(r"verified/[0-9TZ.-]+-[0-9]{1,9}-of-[0-9]{1,9}\.json", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One turn: a part of the archive was verified. ``failed``: the first failures, as ``unbroken verify`` tells them;
    ``not_covered``: items that could not be decided."""

    begun_at: WallMs
    ended_at: WallMs
    software: str
    part: int
    of: int
    items: int
    not_covered: int
    failures: int
    failed: tuple[Item, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.part <= self.of:
            raise ValueError(f"expected a part from 1 to {self.of}, found {self.part}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the records amount to. ``oldest_at``: see rule 3, ``None`` before the first record. ``due``: the next part."""

    verified: int
    of: int
    oldest_at: WallMs | None
    failures: int
    due: Part


def parts(within_s: int, turn_s: int) -> int:
    """Into how many parts the archive is divided, so that a turn every *turn_s* has read all of them in *within_s*."""
    return max(1, within_s // turn_s)


def turn(part: Part, begun_at: WallMs, ended_at: WallMs, software: str, items: Iterable[Item]) -> Verified:
    """The record of a turn in which *items* were found."""
    results: dict[str, int] = {}
    failed: list[Item] = []
    for item in items:
        results[item.result] = results.get(item.result, 0) + 1
        if item.result == "fail" and len(failed) < TOLD:
            failed.append(item)
    return Verified(
        begun_at=begun_at,
        ended_at=ended_at,
        software=software,
        part=part.number,
        of=part.of,
        items=sum(results.values()),
        not_covered=results.get("not_covered", 0),
        failures=results.get("fail", 0),
        failed=tuple(failed),
    )


def stand(records: Sequence[Verified], of: int, now: WallMs, within_s: int) -> Standing:
    """Where the rolling verification into *of* parts stands."""
    newest: dict[int, Verified] = {}
    for record in sorted((record for record in records if record.of == of), key=lambda record: record.ended_at):
        newest[record.part] = record
    first = min((record.ended_at for record in records), default=None)
    at = {number: newest[number].ended_at if number in newest else None for number in range(1, of + 1)}
    fresh = [number for number, when in at.items() if when is not None and now - when <= within_s * 1000]
    known = [when if when is not None else first for when in at.values()]
    return Standing(
        verified=len(fresh),
        of=of,
        oldest_at=min((when for when in known if when is not None), default=None),
        failures=sum(record.failures for record in newest.values()),
        due=Part(min(at, key=lambda number: (at[number] is not None, at[number] or 0, number)), of),
    )


def verified_key(record: Verified) -> str:
    """Key in the records bucket; in order of time, and a file name on any system."""
    return f"{verified_day(record.ended_at)}{to_rfc3339(record.ended_at)[10:].replace(':', '-')}-{record.part}-of-{record.of}.json"


def verified_day(at: WallMs) -> str:
    """What the keys of a day's records begin with."""
    return f"verified/{to_rfc3339(at)[:10]}"


def is_verified_key(key: str) -> bool:
    """Whether *key* is one that :func:`verified_key` makes; what it names says nothing about a recording."""
    return _KEY.fullmatch(key) is not None


def verified_document(record: Verified) -> bytes:
    """The record as canonical JSON: its fields and ``format``."""
    fields = plain(record)
    assert isinstance(fields, dict)
    return canonical({"format": VERIFIED_FORMAT, **fields})
