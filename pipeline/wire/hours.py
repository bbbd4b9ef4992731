"""A site's hours as an operator writes them (TOML) to the schedules they state, one for each camera.

.. code-block:: toml

    zone = "Asia/Shanghai"
    unit = "service-hall"
    cameras = ["hall-1", "hall-2"]
    silent_after_s = 900
    [weekly]
    mon = ["08:30-12:00", "13:30-17:30"]
    [special]
    2026-10-01 = []
    2026-10-10 = ["08:30-17:30"]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import SourceId, SourceKind, label, source_id
from pipeline.domain.schedule import Schedule, SpecialDay, WeekdayHours, ZoneOffset
from pipeline.domain.time import WallMs

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    zone: str
    unit: str
    cameras: list[str]
    silent_after_s: int
    weekly: dict[str, list[str]]
    special: dict[str, list[str]] = {}
    kind: SourceKind = "cctv"


class Hours(msgspec.Struct, frozen=True):
    """What a file of hours says."""

    unit: str
    cameras: tuple[SourceId, ...]
    schedule: Schedule


def read_hours(text: str, valid_from: WallMs, offsets: Callable[[str, WallMs], tuple[ZoneOffset, ...]]) -> Hours:
    """The hours in *text*, valid from an instant on; *offsets* knows the zones. Raises :class:`Misconfigured` saying what
    is wrong where."""
    try:
        raw = msgspec.convert(tomllib.loads(text), _File)
        return Hours(
            unit=label(raw.unit, "unit"),
            cameras=tuple(source_id(name) for name in raw.cameras),
            schedule=Schedule(
                source_kind=raw.kind,
                valid_from=valid_from,
                weekly=tuple(_weekly(raw.weekly)),
                special=tuple(_special(raw.special)),
                offsets=offsets(raw.zone, valid_from),
                silent_after_s=raw.silent_after_s,
            ),
        )
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as exc:
        raise Misconfigured(f"these hours cannot be used: {exc}") from exc


def _weekly(weekly: dict[str, list[str]]) -> Iterator[WeekdayHours]:
    for day, hours in weekly.items():
        if day not in DAYS:
            raise ValueError(f"expected one of {', '.join(DAYS)}, found {day!r} (weekly)")
        for first, last in _spans(hours, day):
            yield WeekdayHours(weekday=DAYS.index(day) + 1, from_minute=first, to_minute=last)


def _special(special: dict[str, list[str]]) -> Iterator[SpecialDay]:
    for day, hours in special.items():
        if not hours:
            yield SpecialDay(day=day)
        for first, last in _spans(hours, day):
            yield SpecialDay(day=day, from_minute=first, to_minute=last)


def _spans(hours: Sequence[str], day: str) -> Iterator[tuple[int, int]]:
    for text in hours:
        match = _HOURS.fullmatch(text)
        first, last = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
        if not first < last <= 1440:
            raise ValueError(f"expected hours like 08:30-12:00, found {text!r} ({day})")
        yield first, last
