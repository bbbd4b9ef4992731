"""Builders of what the archive makes: receipts with sane defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.time import WallMs
from tests.builders import RECORDING, SOURCE, T0, object_ref, sha

YEAR_MS = 365 * 24 * 3600 * 1000


def locked(name: str = "segment") -> LockedObject:
    """An original as a good store reports it."""
    return LockedObject(object=object_ref(name), lock_mode="COMPLIANCE", retain_until=WallMs(T0 + YEAR_MS))


def archived(originals: int = 1, **changes: Any) -> RecordingArchived:
    """The receipt of the default recording's first revision, an hour after T0."""
    made = RecordingArchived(
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        revision=1,
        close_hash=sha("close"),
        archived_at=WallMs(T0 + 3600_000),
        originals=tuple(locked(f"original {number}") for number in range(originals)),
        records=(),
        objects_sha256=sha("objects"),
        key_id="00" * 8,
        signature="",
        ended_at=WallMs(T0 + 60_000),
        first_received_at=WallMs(T0 + 10_500),
    )
    return replace(made, **changes)
