"""Canary: a recording of our own that goes the whole way every few minutes, so that a way that is blocked shows before a
real recording has to wait on it.

It is an honest recording with a source and a unit of its own and bytes of its own, and counts in no statistics. Its name
carries when it set out: how long ago the last one to pass a stage set out is how long that stage may have stood still.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.domain.identity import RecordingId, SourceId, SourceKind
from pipeline.domain.time import WallMs, from_rfc3339, to_rfc3339

CANARY: Final = SourceId("canary")
CANARY_UNIT: Final = "canary"
CANARY_KIND: Final[SourceKind] = "voice_recorder"
_BEAT: Final = re.compile(r"canary-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_RATE_HZ: Final = 8000


def beat_id(at: WallMs) -> RecordingId:
    """The recording that sets out at *at*, to the second."""
    return RecordingId(f"canary-{to_rfc3339(at)[:19].replace('-', '').replace(':', '')}Z")


def beat_at(recording: str) -> WallMs | None:
    """When the canary named *recording* set out; ``None`` for another recording."""
    match = _BEAT.fullmatch(recording)
    if match is None:
        return None
    year, month, day, hour, minute, second = match.groups()
    try:
        return from_rfc3339(f"{year}-{month}-{day}T{hour}:{minute}:{second}.000Z")
    except ValueError:
        return None


def beat_file(at: WallMs) -> bytes:
    """A second of sound (RIFF WAVE, 8 bits, 8 kHz) in which the name is all there is to hear: each canary has bytes of its
    own, so that they really are sent and stored."""
    name = beat_id(at).encode()
    samples = (name * (_RATE_HZ // len(name) + 1))[:_RATE_HZ]
    format_chunk = b"fmt " + _le(16, 4) + _le(1, 2) + _le(1, 2) + _le(_RATE_HZ, 4) * 2 + _le(1, 2) + _le(8, 2)
    body = b"WAVE" + format_chunk + b"data" + _le(len(samples), 4) + samples
    return b"RIFF" + _le(len(body), 4) + body


def _le(number: int, size_bytes: int) -> bytes:
    return number.to_bytes(size_bytes, "little")
