"""Outlook: what a timer reads from the deadlines at an instant. It only reads; what it has to say becomes annotations.

:func:`due` says what has to be said now: deadlines that are near, deadlines that are past. Its statements have ids that
follow from what they say, so saying one twice, or by two workers, is harmless. :func:`summary` is what an operator sees:
per unit and kind how much is not archived yet, how old it is, and when the next deadline comes.

Ages are counted from the end of the recording (T0) and sorted into bands that follow the day of a deadline of 24 hours;
another deadline has them in proportion.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from pipeline.domain.annotation import Annotation
from pipeline.domain.deadline import SourceDeadlines, Tracked, deadline_at
from pipeline.domain.identity import SourceId, SourceKind
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs

AgeBand = Literal["0_4h", "4_12h", "12_20h", "20_24h", "over_24h"]
AGE_BANDS: Final[tuple[AgeBand, ...]] = get_args(AgeBand)
_BAND_ENDS_H: Final = (4, 12, 20, 24)
GRACE_PARTS: Final = 1440
"""The timer waits this part of the deadline (a minute of 24 hours) before it calls a miss: news may be under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDeadlines:
    """What an operator wants to see of one unit and kind. ``unarchived``: recordings by age, in the order of
    :data:`AGE_BANDS`; ``expected``: those among them of which nothing has arrived; ``oldest_end``: the earliest T0 among
    them; ``next_at``: the next deadline that is not missed yet. Instants are ``None`` when there is none."""

    unit: str
    source_kind: SourceKind
    unarchived: tuple[int, ...] = (0,) * len(AGE_BANDS)
    expected: int = 0
    oldest_end: WallMs | None = None
    next_at: WallMs | None = None


def due(states: Mapping[str, SourceDeadlines], now: WallMs, policy: Policy) -> tuple[Annotation, ...]:
    """The statements a timer has to make at *now*; ids are deterministic, so saying one twice is harmless."""
    grace_ms = policy.deadline_s * 1000 // GRACE_PARTS
    found = []
    for source in states.values():
        for tracked in source.open.values():
            at = deadline_at(tracked, policy)
            if at is None or tracked.state not in ("tracked", "at_risk"):
                continue
            if now > at + grace_ms:
                found.append(_due(source.source_id, tracked, "missed", now))
            elif tracked.state == "tracked" and now >= at - policy.at_risk_before_s * 1000:
                found.append(_due(source.source_id, tracked, "at_risk", now))
    return tuple(found)


def _due(source: SourceId, tracked: Tracked, state: str, now: WallMs) -> Annotation:
    return Annotation(
        annotation_id=f"due-{tracked.recording_id}-{state}",
        kind="deadline_due",
        source_id=source,
        made_at=now,
        made_by="deadline timer",
        recording_id=tracked.recording_id,
        unit=tracked.unit,
    )


class _Standing(NamedTuple):
    """One recording as it counts for its unit. ``end``: its T0 while it is not archived; ``next_at``: its deadline while
    that can still be met."""

    end: int | None = None
    next_at: WallMs | None = None
    is_expected: bool = False


def summary(states: Mapping[str, SourceDeadlines], now: WallMs, policy: Policy) -> tuple[UnitDeadlines, ...]:
    """What is ahead of each unit and kind at *now*; sorted. A unit whose recordings are all archived is there too."""
    found: dict[tuple[str, SourceKind], list[_Standing]] = {}
    for source in states.values():
        for unit, kind, standing in _standings(source, policy):
            found.setdefault((unit, kind), []).append(standing)
    return tuple(_outlook(unit, kind, found[unit, kind], now, policy) for unit, kind in sorted(found))


def _standings(source: SourceDeadlines, policy: Policy) -> Iterator[tuple[str, SourceKind, _Standing]]:
    for tracked in source.open.values():
        at = deadline_at(tracked, policy)
        if (
            tracked.unit is not None
            and tracked.source_kind is not None
            and tracked.state is not None
            and at is not None
        ):
            waits = tracked.archived_at is None
            yield (
                tracked.unit,
                tracked.source_kind,
                _Standing(
                    end=at - policy.deadline_s * 1000 if waits else None,
                    next_at=None if tracked.state == "missed" else at,
                    is_expected=waits and tracked.first_received_at is None,
                ),
            )
    for done in source.finished.values():
        yield done.unit, done.source_kind, _Standing()


def _outlook(unit: str, kind: SourceKind, standings: list[_Standing], now: WallMs, policy: Policy) -> UnitDeadlines:
    ends = [item.end for item in standings if item.end is not None]
    counts = Counter(_band(now - end, policy) for end in ends)
    return UnitDeadlines(
        unit=unit,
        source_kind=kind,
        unarchived=tuple(counts[number] for number in range(len(AGE_BANDS))),
        expected=sum(item.is_expected for item in standings),
        oldest_end=WallMs(max(0, min(ends))) if ends else None,
        next_at=min((item.next_at for item in standings if item.next_at is not None), default=None),
    )


def _band(age_ms: int, policy: Policy) -> int:
    """The place in :data:`AGE_BANDS` of an age; each band begins with its first instant."""
    return bisect_right(_BAND_ENDS_H, age_ms * 24 // (policy.deadline_s * 1000))
