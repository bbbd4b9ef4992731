"""Schedule: when a fixed camera has to record (article 3), as its unit stated it: weekly hours, special days, a zone.

A camera is on duty at an instant when the clock on the wall shows an open hour then. So an hour that the clock shows twice
is on duty twice, and an hour it skips never; a special day (a holiday, a working Saturday) replaces its weekday.

The zone is stated as the offsets themselves, each with the instant from which it counts: two workers whose time zone
databases differ, or one that judges the same history years later, find the same hours. What is computed is all here, in
integers; the names of zones stay with whoever writes the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from pipeline.domain.identity import SourceKind
from pipeline.domain.spans import both, joined, without
from pipeline.domain.time import MAX_WALL_MS, WallMs

MINUTE_MS: Final = 60_000
DAY_MS: Final = 1440 * MINUTE_MS
MOST_OFFSET_MINUTES: Final = 18 * 60
"""As far as ISO 8601 libraries let a zone lie from UTC; no place on earth is beyond 14 hours."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_ZERO: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekdayHours:
    """Open from one minute of the day to another on every ``weekday`` (1 Monday to 7 Sunday); 1440 is midnight."""

    weekday: int
    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        if not 1 <= self.weekday <= 7:
            raise ValueError(f"weekdays count from 1 (Monday) to 7, found {self.weekday}")
        _minutes(self.from_minute, self.to_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    """The hours of one date, in place of its weekday's. From 0 to 0: closed."""

    day: str
    from_minute: int = 0
    to_minute: int = 0

    def __post_init__(self) -> None:
        if not _DAY.fullmatch(self.day) or self.day < "1970":
            raise ValueError(f"expected a date like 2026-10-01, found {self.day[:40]!r}")
        date.fromisoformat(self.day)
        _minutes(self.from_minute, self.to_minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOffset:
    """From ``since`` on the clock on the wall shows UTC and ``minutes``; the first one counts before ``since`` too."""

    since: WallMs
    minutes: int

    def __post_init__(self) -> None:
        if abs(self.minutes) > MOST_OFFSET_MINUTES:
            raise ValueError(f"a zone is at most {MOST_OFFSET_MINUTES} minutes from UTC, found {self.minutes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A camera's hours from ``valid_from`` until ``valid_to`` (until further notice when ``None``).

    ``silent_after_s``: how long after the last instant we know it recorded it counts as silent; longer than one of its
    files, because a file that is still being written says nothing.
    """

    source_kind: SourceKind
    valid_from: WallMs
    valid_to: WallMs | None = None
    weekly: tuple[WeekdayHours, ...]
    special: tuple[SpecialDay, ...] = ()
    offsets: tuple[ZoneOffset, ...]
    silent_after_s: int

    def __post_init__(self) -> None:
        if not self.offsets:
            raise ValueError("a schedule states at least one offset of its zone")
        if self.silent_after_s < 1:
            raise ValueError(f"a camera is silent after some seconds at least, found {self.silent_after_s}")


def on_duty(stated: Sequence[Schedule], start: int, end: int) -> list[tuple[int, int]]:
    """When the camera has to record between two instants (ms). Where several schedules are valid, the last stated counts."""
    found: list[tuple[int, int]] = []
    free = [(start, end)] if start < end else []
    for schedule in reversed(stated):
        valid = [(int(schedule.valid_from), int(MAX_WALL_MS if schedule.valid_to is None else schedule.valid_to))]
        for piece in both(free, valid):
            found += _open(schedule, *piece)
        free = list(without(free, valid))
        if not free:
            break
    return joined(found)


def length(spans: Sequence[tuple[int, int]]) -> int:
    """The time all *spans* cover."""
    return sum(end - start for start, end in spans)


def _open(schedule: Schedule, start: int, end: int) -> Iterator[tuple[int, int]]:
    offsets = sorted(schedule.offsets, key=lambda offset: offset.since)
    turns = [start, *(int(offset.since) for offset in offsets[1:]), end]
    for (since, until), offset in zip(pairwise(turns), offsets, strict=True):
        since, until, shift = max(since, start), min(until, end), offset.minutes * MINUTE_MS
        for day in range((since + shift) // DAY_MS, (until + shift - 1) // DAY_MS + 1) if since < until else ():
            for first, last in _hours(schedule, day):
                opens = max(day * DAY_MS + first * MINUTE_MS - shift, since)
                closes = min(day * DAY_MS + last * MINUTE_MS - shift, until)
                if opens < closes:
                    yield opens, closes


def _hours(schedule: Schedule, day: int) -> list[tuple[int, int]]:
    """The open minutes of the local day *day* (days since 1970)."""
    if schedule.special:
        name = date.fromordinal(day + _DAY_ZERO.toordinal()).isoformat()
        special = [(entry.from_minute, entry.to_minute) for entry in schedule.special if entry.day == name]
        if special:
            return special
    weekday = (day + 3) % 7 + 1  # 1970-01-01 was a Thursday
    return [(entry.from_minute, entry.to_minute) for entry in schedule.weekly if entry.weekday == weekday]


def _minutes(first: int, last: int) -> None:
    for minute in (first, last):
        if not 0 <= minute <= 1440:
            raise ValueError(f"a minute of the day is 0 to 1440, found {minute}")
