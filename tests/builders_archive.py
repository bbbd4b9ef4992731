"""Builders of what the archive needs and makes: accounts, placed files, receipts, with sane defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.continuity import Gap, RecordingEnded, Run
from pipeline.domain.playlist import Placed
from pipeline.domain.probe import MediaFacts
from pipeline.domain.time import WallMs
from tests.builders import PTS0, RECORDING, SEGMENT_MS, SOURCE, T0, facts, object_ref, sha, video

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


def ended(**changes: Any) -> RecordingEnded:
    """The account of three files of ten seconds each."""
    made = RecordingEnded(
        recording_id=RECORDING,
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        revision=1,
        reason="declared",
        verdict="continuous",
        started_at=T0,
        ended_at=WallMs(T0 + 30_000),
        covered_ms=30_000,
        segments=3,
        bytes=3000,
        expected_segments=3,
        first_received_at=WallMs(T0 + 10_500),
        last_received_at=WallMs(T0 + 30_500),
        runs=(Run(start=T0, end=WallMs(T0 + 30_000), segments=3),),
        gaps=(),
        findings=(),
        policy_version="test",
    )
    return replace(made, **changes)


def gap(start_ms: int, end_ms: int, **changes: Any) -> Gap:
    """A gap between two offsets from T0."""
    made = Gap(
        start=WallMs(T0 + start_ms),
        end=WallMs(T0 + end_ms),
        size_ms=end_ms - start_ms,
        error_ms=0,
        evidence="media_clock",
        state="unexplained",
    )
    return replace(made, **changes)


def placed(number: int = 0, media: MediaFacts | None = None, **changes: Any) -> Placed:
    """The file ``number * 10 s`` after T0 on the default camera's continuing clock."""
    start = T0 + number * SEGMENT_MS
    made = Placed(
        original=object_ref(f"{RECORDING}/{number}"),
        facts=media or facts(video(PTS0 + number * SEGMENT_MS * 90)),
        start=WallMs(start),
        end=WallMs(start + SEGMENT_MS),
    )
    return replace(made, **changes)
