"""Identity: the names of sources, recordings and bytes.

Source and recording ids appear in object keys, topic keys and file names, so their alphabet is small; what a person
typed is kept beside them, never inside them. A segment is identified by its bytes alone: its SHA-256.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NewType

from pipeline.domain.time import WallMs, to_rfc3339

SourceId = NewType("SourceId", str)
RecordingId = NewType("RecordingId", str)
Sha256 = NewType("Sha256", str)
"""64 lower-case hex digits."""

SourceKind = Literal["body_camera", "cctv", "voice_recorder", "still_camera", "camcorder"]
"""The devices article 2 names: recorder, surveillance camera, voice recorder, still camera, camcorder."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
MAX_LABEL: Final = 200
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,8}")


def source_id(text: str) -> SourceId:
    """Parse a source id; raises ``ValueError`` naming the alphabet."""
    return SourceId(_checked_id(text, "source id"))


def recording_id(text: str) -> RecordingId:
    """Parse a recording id; raises ``ValueError`` naming the alphabet."""
    return RecordingId(_checked_id(text, "recording id"))


def sha256(text: str) -> Sha256:
    """Parse a digest; raises ``ValueError`` unless it is 64 lower-case hex digits."""
    if not _SHA256.fullmatch(text):
        raise ValueError(f"expected 64 lower-case hex digits, found {text[:80]!r}")
    return Sha256(text)


def about_recording(source: str, unit: str, recording: str) -> None:
    """Check the three names that every statement about a recording carries; raises ``ValueError``."""
    source_id(source)
    label(unit, "unit")
    recording_id(recording)


def label(text: str, what: str) -> str:
    """Check a short printable text of 1 to 200 characters (a unit's or person's name, a connector); raises ``ValueError``."""
    if not 0 < len(text) <= MAX_LABEL or _CONTROL.search(text):
        raise ValueError(
            f"a {what} is 1 to {MAX_LABEL} characters without control characters, found {len(text)}: {text[:80]!r}"
        )
    return text


def block_recording_id(source: SourceId, started_at: WallMs, block_s: int) -> RecordingId:
    """The recording a continuously recording camera's segment belongs to: the UTC block its start falls into."""
    start = WallMs(started_at - started_at % (block_s * 1000))
    stamp = to_rfc3339(start)[:19].replace("-", "").replace(":", "") + "Z"
    return recording_id(f"{source}-{stamp}")


def original_key(digest: Sha256, file_name: str) -> str:
    """Content-addressed key of an original: ``sha256/<aa>/<sha256>.<ext>``; an odd extension becomes ``bin``."""
    suffix = file_name.rpartition(".")[2].lower() if "." in file_name else ""
    return f"sha256/{digest[:2]}/{digest}.{suffix if _EXTENSION.fullmatch(suffix) else 'bin'}"


def _checked_id(text: str, what: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(
            f"a {what} is 1 to 96 letters, digits, dot, dash or underscore and starts with a letter or digit, found {text[:120]!r}"
        )
    return text
