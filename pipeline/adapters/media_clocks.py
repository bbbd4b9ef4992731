"""Wall clocks inside ISO base media files, each with how far it may be off.

* ``mvhd``: when the movie was made, in whole seconds since 1904; zero of either epoch is a recorder without a clock.
* ``prft`` (ISO/IEC 14496-12 8.16.5): before a fragment, an NTP time and the media time it belongs to. Taken when a picture
  was captured or encoded it is good to a tenth of a second; taken when a fragment was finished or written, to a second.
* ``tmcd``: the time of day of the first frame as QuickTime's time code, without a date or a zone. It counts as a clock
  only where it is the creation time in some zone (whole half hours) but for a minute; how far apart the two are is its
  error bar.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pipeline.domain.marks import Mark
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs

_UNIX_IN_1904_S: Final = int((datetime(1970, 1, 1, tzinfo=UTC) - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
_UNIX_IN_1900_S: Final = int((datetime(1970, 1, 1, tzinfo=UTC) - datetime(1900, 1, 1, tzinfo=UTC)).total_seconds())
_NTP_ERA_S: Final = 1 << 32
_AT_A_PICTURE: Final = (0, 1, 24)
"""Flags of times that belong to a picture: entering the encoder, leaving it, being captured."""
_DAY_S: Final = 24 * 3600
_ZONE_STEP_S: Final = 1800
_PLAUSIBLE_S: Final = 60


class Clock(NamedTuple):
    """How media time of a track becomes time of a stream: ``(ticks - shift) / timescale`` seconds."""

    stream: int
    timescale: int
    shift: int


def created(since_1904_s: int) -> ClaimedTime | None:
    """When the movie header says the recording was made. Some recorders count from 1970."""
    if since_1904_s == _UNIX_IN_1904_S:
        return None
    at_s = since_1904_s - _UNIX_IN_1904_S if since_1904_s > _UNIX_IN_1904_S else since_1904_s
    if not 0 < 1000 * at_s <= MAX_WALL_MS:
        return None
    return ClaimedTime(at=WallMs(1000 * at_s), origin="container", error_ms=1000)


def marks(reference_times: Iterable[bytes], tracks: dict[int, Clock]) -> Iterator[Mark]:
    """The marks that bodies of ``prft`` boxes make."""
    for body in reference_times:
        wide = body[:1] == b"\1"
        if len(body) < (24 if wide else 20):
            continue
        flags, number, ntp_s, ntp_fraction, media = struct.unpack_from(">IIIIQ" if wide else ">IIIII", body)
        clock = tracks.get(number)
        if clock is None or not ntp_s:
            continue
        at_s = ntp_s - _UNIX_IN_1900_S + (_NTP_ERA_S if ntp_s < _UNIX_IN_1900_S else 0)
        yield Mark(
            stream=clock.stream,
            media_ms=1000 * (media - clock.shift) // clock.timescale,
            wall_ms=1000 * at_s + (1000 * ntp_fraction >> 32),
            error_ms=100 if flags & 0xFFFFFF in _AT_A_PICTURE else 1000,
        )


def time_code(moov: bytes, entry: int, frame: int, made: ClaimedTime | None) -> ClaimedTime | None:
    """The time of day that *frame* is by the sample entry whose body is at *entry*, on the day the movie was made."""
    flags, timescale, duration, frames_a_second = struct.unpack_from(">4xIIIB", moov, entry + 8)
    if made is None or not (timescale and duration and frames_a_second) or not frame:
        return None
    # Drop-frame codes skip numbers so that they stay with the clock: there a frame is as long as it is.
    of_day_s = frame * duration // timescale if flags & 1 else frame // frames_a_second
    if of_day_s >= _DAY_S:
        return None
    apart_s = (of_day_s - made.at // 1000 + _ZONE_STEP_S // 2) % _ZONE_STEP_S - _ZONE_STEP_S // 2
    if abs(apart_s) > _PLAUSIBLE_S:
        return None
    return ClaimedTime(
        at=WallMs(made.at + 1000 * apart_s), origin="media", error_ms=max(made.error_ms, 1000 * abs(apart_s))
    )
