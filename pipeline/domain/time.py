"""Wall time: UTC instants as whole milliseconds since 1970, written RFC 3339 with milliseconds and ``Z``.

A claimed time keeps where it was read from and how wrong it may be: three clocks are never mixed in one field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal


class WallMs(int):
    """Milliseconds since 1970-01-01T00:00:00Z; a class of its own so that the wire spells it as RFC 3339."""

    __slots__ = ()


class Nanos(int):
    """Nanoseconds as a recorder counts them; a class of its own so that the wire spells it as a decimal string: today's
    count since 1970 is beyond 2**53, where JSON readers differ."""

    __slots__ = ()


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS: Final = 24 * 3600 * 1000
_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_NANOS: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")

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

    def __post_init__(self) -> None:
        if self.error_ms < 0:
            raise ValueError(f"an error bar is not negative, found {self.error_ms}")


def from_rfc3339(text: str) -> WallMs:
    """Parse exactly ``YYYY-MM-DDThh:mm:ss.mmmZ`` from 1970 on; raises ``ValueError`` for anything else, so one instant
    has one spelling."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"expected UTC like 2026-11-24T08:00:00.000Z, found {text[:80]!r}")
    try:
        at = (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
    except ValueError as exc:
        raise ValueError(f"expected a time that exists, found {text!r}: {exc}") from exc
    if at < 0:
        raise ValueError(f"expected a time from 1970 on, found {text!r}")
    return WallMs(at)


def to_rfc3339(at: int) -> str:
    """The one spelling of an instant; raises ``ValueError`` outside years 1970 to 9999."""
    if not 0 <= at <= MAX_WALL_MS:
        raise ValueError(f"wall time outside 1970..9999: {at} ms")
    days, ms = divmod(int(at), _DAY_MS)
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{_date(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{ms:03d}Z"


def seconds(ms: int) -> str:
    """A length of time for people, to the millisecond.

    >>> seconds(3040)
    '3.040 s'
    """
    return f"{ms // 1000}.{ms % 1000:03d} s"


def from_decimal(text: str) -> Nanos:
    """Parse the one spelling of a nanosecond count (64 bit); raises ``ValueError``."""
    if not _NANOS.fullmatch(text):
        raise ValueError(f"expected a decimal integer of at most 19 digits, found {text[:80]!r}")
    return Nanos(text)


@lru_cache(maxsize=256)  # nearly all instants of an hour's work lie on a few days, and formatting dates is what costs
def _date(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).date().isoformat()
