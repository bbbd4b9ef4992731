"""Time zones: the offsets of a named zone, from the computer's time zone database, for whoever states a schedule.

Read once, when the hours are stated: what is judged later rests on the offsets in the statement.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.domain.errors import Misconfigured
from pipeline.domain.schedule import ZoneOffset
from pipeline.domain.time import WallMs

AHEAD_DAYS: Final = 3660
"""Ten years; afterwards the last offset counts until the hours are stated anew."""
_STEP: Final = timedelta(hours=1)


def zone_offsets(name: str, start: WallMs) -> tuple[ZoneOffset, ...]:
    """The offsets of the zone *name* from *start* on for ten years; raises :class:`Misconfigured` for an unknown one."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise Misconfigured(f"no such time zone, expected a name like Asia/Shanghai: {name!r} ({exc})") from exc
    at = datetime.fromtimestamp(start // 1000, UTC).replace(minute=0, second=0)
    found = [(at, _minutes(at, zone))]
    for _ in range(AHEAD_DAYS):
        after = at + timedelta(days=1)
        if _minutes(after, zone) != _minutes(at, zone):
            turn = at
            while _minutes(turn, zone) == found[-1][1]:
                turn += _STEP
            found.append((turn, _minutes(turn, zone)))
        at = after
    return tuple(ZoneOffset(since=WallMs(int(since.timestamp()) * 1000), minutes=minutes) for since, minutes in found)


def _minutes(at: datetime, zone: ZoneInfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // 60
