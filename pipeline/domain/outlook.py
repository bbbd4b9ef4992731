"""Outlook: what a timer reads from the deadlines at an instant. It only reads; what it has to say becomes annotations.

:func:`due` says what has to be said now: deadlines that are near or past, a camera's hours that are over, a camera that has
fallen silent; :func:`store_news` that nothing can be archived, or can again. Their statements have ids that follow from
what they say, so saying one twice, or by two workers, is harmless. :func:`summary` is what an operator sees:
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

from pipeline.domain.annotation import Annotation, Outage
from pipeline.domain.canary import CANARY
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.duty import accountable_until, is_silent, kind_of, owed, silent_ms
from pipeline.domain.identity import SourceId, SourceKind
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import Tracked, deadline_at

AgeBand = Literal["0_4h", "4_12h", "12_20h", "20_24h", "over_24h"]
AGE_BANDS: Final[tuple[AgeBand, ...]] = get_args(AgeBand)
_BAND_ENDS_H: Final = (4, 12, 20, 24)
GRACE_PARTS: Final = 1440
"""The timer waits this part of the deadline (a minute of 24 hours) before it calls a miss: news may be under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDeadlines:
    """What an operator wants to see of one unit and kind. ``unarchived``: recordings by age, in the order of
    :data:`AGE_BANDS`; ``expected``: those among them of which nothing has arrived; ``oldest_end``: the earliest T0 among
    them; ``next_at``: the next deadline that is not missed yet. ``on_duty``: cameras that have to record now; ``silent``:
    those that do not, and ``silent_ms`` how long they have not, added up. Instants are ``None`` when there is none."""

    unit: str
    source_kind: SourceKind
    unarchived: tuple[int, ...] = (0,) * len(AGE_BANDS)
    expected: int = 0
    oldest_end: WallMs | None = None
    next_at: WallMs | None = None
    on_duty: int = 0
    silent: int = 0
    silent_ms: int = 0


def due(states: Mapping[str, SourceDeadlines], now: WallMs, policy: Policy) -> tuple[Annotation, ...]:
    """The statements a timer has to make at *now*; ids are deterministic, so saying one twice is harmless."""
    grace_ms = _grace_ms(policy)
    found = []
    for source in states.values():
        for tracked in source.open.values():
            at = deadline_at(tracked, policy) if tracked.state in ("expected", "tracked", "at_risk") else None
            if at is None:
                continue
            if now > at + grace_ms:
                found.append(_due(source.source_id, tracked, "missed", now))
            elif tracked.state != "at_risk" and now >= at - policy.at_risk_before_s * 1000:
                found.append(_due(source.source_id, tracked, "at_risk", now))
        found += _schedule_due(source, now, policy)
    return tuple(found)


def _grace_ms(policy: Policy) -> int:
    return policy.deadline_s * 1000 // GRACE_PARTS


def _schedule_due(source: SourceDeadlines, now: WallMs, policy: Policy) -> Iterator[Annotation]:
    """A camera's blocks have ended that were not looked at, or it has fallen silent."""
    camera = source.camera
    if camera.since is None:
        return
    until = accountable_until(camera, now, policy)
    silent = camera.silent_since is None and is_silent(camera, now)
    if until > camera.accounted_until or silent:
        yield Annotation(
            annotation_id=f"hours-{source.source_id}-{until}-{camera.recorded_until if silent else 0}",
            kind="schedule_due",
            source_id=source.source_id,
            made_at=now,
            made_by="schedule timer",
            unit=camera.unit,
        )


def store_news(
    states: Mapping[str, SourceDeadlines], out_since: WallMs | None, now: WallMs, policy: Policy
) -> tuple[Annotation, ...]:
    """What has to be said at *now* of a store that has not served us since *out_since* (``None``: it does). It is said of
    each source that has something on its way into the archive, when it has lasted as long as the timer waits for news, and
    when it ends; what another worker began to say, or this one before a restart, is ended too."""
    if out_since is not None and now - out_since < _grace_ms(policy):
        return ()
    said = []
    for source in states.values():
        begun = next((out.start for out in source.outages if out.end is None), None)
        if out_since is None and begun is not None:
            said.append(_outage(source.source_id, Outage(start=begun, end=max(begun, now)), now))
        elif out_since is not None and begun is None and any(_is_on_its_way(item) for item in source.open.values()):
            said.append(_outage(source.source_id, Outage(start=out_since), now))
    return tuple(said)


def _is_on_its_way(tracked: Tracked) -> bool:
    return tracked.first_received_at is not None and tracked.archived_at is None and tracked.state != "missed"


def _outage(source: SourceId, outage: Outage, now: WallMs) -> Annotation:
    return Annotation(
        annotation_id=f"outage-{source}-{outage.start}-{'begins' if outage.end is None else outage.end}",
        kind="outage",
        source_id=source,
        made_at=now,
        made_by="store timer",
        outage=outage,
    )


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
    """One recording, or one camera, as it counts for its unit. ``end``: its T0 while it is not archived; ``next_at``: its
    deadline while that can still be met."""

    end: int | None = None
    next_at: WallMs | None = None
    is_expected: bool = False
    is_on_duty: bool = False
    is_silent: bool = False
    silent_ms: int = 0


def summary(states: Mapping[str, SourceDeadlines], now: WallMs, policy: Policy) -> tuple[UnitDeadlines, ...]:
    """What is ahead of each unit and kind at *now*; sorted. A unit whose recordings are all archived is there too, the
    canary's is not."""
    found: dict[tuple[str, SourceKind], list[_Standing]] = {}
    for source in (state for state in states.values() if state.source_id != CANARY):
        for unit, kind, standing in (*_standings(source, policy), *_cameras(source, now)):
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
        yield (
            done.unit,
            done.source_kind,
            _Standing(end=done.at - policy.deadline_s * 1000 if done.unarchived else None),
        )


def _cameras(source: SourceDeadlines, now: WallMs) -> Iterator[tuple[str, SourceKind, _Standing]]:
    camera = source.camera
    if camera.unit is not None:
        yield (
            camera.unit,
            source.source_kind or kind_of(camera),
            _Standing(
                is_on_duty=bool(owed(camera, now, now + 1)),
                is_silent=camera.silent_since is not None,
                silent_ms=silent_ms(camera, now),
            ),
        )


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
        on_duty=sum(item.is_on_duty for item in standings),
        silent=sum(item.is_silent for item in standings),
        silent_ms=sum(item.silent_ms for item in standings),
    )


def _band(age_ms: int, policy: Policy) -> int:
    """The place in :data:`AGE_BANDS` of an age; each band begins with its first instant."""
    return bisect_right(_BAND_ENDS_H, age_ms * 24 // (policy.deadline_s * 1000))
