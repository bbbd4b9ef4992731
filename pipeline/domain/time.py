"""Wall time: UTC instants as whole milliseconds since 1970, written RFC 3339 with milliseconds and ``Z``.

A claimed time keeps where it was read from and how wrong it may be: three clocks are never mixed in one field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal


class WallMs(int):
    """Milliseconds since 1970-01-01T00:00:00Z; a class of its own so that the wire spells it as RFC 3339."""

    __slots__ = ()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

MAX_WALL_MS = WallMs(253402300799999)
"""9999-12-31T23:59:59.999Z, the last instant RFC 3339 can write."""

ClockOrigin = Literal["file_name", "container", "file_system", "recorder", "dock", "operator", "playlist", "media"]
"""Who said so: the name of the file, a box inside it, its modification time, a recorder's own event, a dock, a person,
a playlist beside the files, an in-band clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedTime:
    """A wall time somebody else stated. ``error_ms``: how far it may be off by its own resolution."""

    at: WallMs
    origin: ClockOrigin
    error_ms: int


def from_rfc3339(text: str) -> WallMs:
    """Parse exactly ``YYYY-MM-DDThh:mm:ss.mmmZ``; raises ``ValueError`` for anything else, so one instant has one spelling."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"expected UTC like 2026-11-24T08:00:00.000Z, found {text!r}")
    return WallMs((datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1))


def to_rfc3339(at: int) -> str:
    """The one spelling of an instant; raises ``ValueError`` outside years 1970 to 9999."""
    if not 0 <= at <= MAX_WALL_MS:
        raise ValueError(f"wall time outside 1970..9999: {at} ms")
    moment = _EPOCH + timedelta(milliseconds=at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
