"""Builders: domain values with sane defaults, so that a test names only what it is about.

``landed(3)`` is the fourth 10 s file of a hall camera: announcement 4, starting 30 s after :data:`T0`, with bytes of its
own. ``probed`` gives it media facts: by default one video stream on a shared 90 kHz clock that continues from file to file.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from pipeline.domain.annotation import Annotation, AnnotationKind, Explanation, Metadata, ScheduleWindow, SessionEnded
from pipeline.domain.findings import Finding
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.policy import Policy, RetentionClass, Tolerance
from pipeline.domain.probe import BandIdentity, MediaFacts, SegmentProbed, StreamFacts
from pipeline.domain.schedule import Schedule, WeekdayHours, ZoneOffset
from pipeline.domain.time import ClaimedTime, ClockOrigin, Nanos, WallMs, from_rfc3339

T0 = from_rfc3339("2026-11-24T08:00:00.000Z")
SOURCE = SourceId("hall-1")
RECORDING = RecordingId("hall-1-20261124T080000Z")
SEGMENT_MS = 10_000
SALT_KEY = bytes(range(32))
PTS0 = 126_000
"""1.4 s at 90 kHz, where ffmpeg's transport-stream muxer starts."""

_KINDS: tuple[SourceKind, ...] = ("body_camera", "cctv", "voice_recorder", "still_camera", "camcorder")


def sha(text: str) -> Sha256:
    """The digest of *text*, for when a test needs some digest."""
    return Sha256(hashlib.sha256(text.encode()).hexdigest())


def policy(**changes: Any) -> Policy:
    """The shipped policy's numbers, without reading the file."""
    tolerance = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
    made = Policy(
        version="test",
        tolerance=dict.fromkeys(_KINDS, tolerance),
        block_s=3600,
        idle_end_s=21600,
        next_block_grace_s=300,
        deadline_s=86400,
        at_risk_before_s=14400,
        from_return=False,
        day_offset_minutes=None,
        provisional_retention_s=31536000,
        retention={
            "permanent": RetentionClass(keep_s=347_133_600, hold=True),
            "30y": RetentionClass(keep_s=978_285_600, hold=False),
            "10y": RetentionClass(keep_s=347_133_600, hold=False),
        },
        checkpoint_s=300,
        verify_within_s=2_419_200,
        sm3=False,
        chunk_tree=True,
        voice_explanation_kinds=("body_camera", "voice_recorder", "camcorder"),
        voice_within_s=120,
        uninterrupted_matters=(),
        mandatory_fields=("case_name", "party_name", "recorded_date"),
        unit_mandatory_fields={},
        standing_description_kinds=("cctv",),
        remembered_closed_recordings=48,
    )
    return replace(made, **changes)


def claimed(at: int, error_ms: int = 1000, origin: ClockOrigin = "file_name") -> ClaimedTime:
    """A claimed instant, by default as exact as a name with whole seconds."""
    return ClaimedTime(at=WallMs(at), origin=origin, error_ms=error_ms)


def object_ref(name: str = "segment", size_bytes: int = 1000, **changes: Any) -> ObjectRef:
    """An original's place, whose digest follows from *name*."""
    digest = sha(name)
    made = ObjectRef(
        bucket="originals",
        key=f"sha256/{digest[:2]}/{digest}.ts",
        version_id="v1",
        sha256=digest,
        size_bytes=size_bytes,
    )
    return replace(made, **changes)


def landed(number: int = 0, **changes: Any) -> SegmentLanded:
    """The claim about the file that starts ``number * 10 s`` after T0."""
    start = T0 + number * SEGMENT_MS
    recording = changes.get("recording_id", RECORDING)
    made = SegmentLanded(
        connector="folder",
        announcement=number + 1,
        source_id=SOURCE,
        source_kind="cctv",
        unit="service-hall",
        recording_id=RECORDING,
        object=object_ref(f"{recording}/{number}"),
        original_name=f"{number:03d}.ts",
        received_at=WallMs(start + SEGMENT_MS + 500),
        ends="declared",
        claimed_start=claimed(start),
    )
    return replace(made, **changes)


def video(first: int, length_ms: int = SEGMENT_MS, **changes: Any) -> StreamFacts:
    """25 fps H.264 at 90 kHz from *first* ticks on, *length_ms* long, last frame included."""
    made = StreamFacts(
        index=0,
        kind="video",
        codec="h264",
        time_base_num=1,
        time_base_den=90_000,
        packets=length_ms // 40,
        first_ticks=first,
        last_ticks=first + length_ms * 90 - 3600,
        median_interval_ticks=3600,
        covered_ticks=length_ms * 90,
        format="320x180",
    )
    return replace(made, **changes)


def audio(first: int, length_ms: int = SEGMENT_MS, **changes: Any) -> StreamFacts:
    """48 kHz AAC at 90 kHz from *first* ticks on (1920 ticks a packet)."""
    made = StreamFacts(
        index=1,
        kind="audio",
        codec="aac",
        time_base_num=1,
        time_base_den=90_000,
        packets=length_ms * 90 // 1920,
        first_ticks=first,
        last_ticks=first + length_ms * 90 - 1920,
        median_interval_ticks=1920,
        covered_ticks=length_ms * 90,
        format="48000/1",
    )
    return replace(made, **changes)


def facts(*streams: StreamFacts, **changes: Any) -> MediaFacts:
    """A readable transport stream with *streams*."""
    return replace(MediaFacts(media="timed", container="mpegts", reader="ts", streams=streams), **changes)


def probed(number: int = 0, media: MediaFacts | None = None, **changes: Any) -> SegmentProbed:
    """The file ``number * 10 s`` after T0 on a camera's continuing clock; *changes* go to the claim."""
    claim = landed(number, **changes)
    found = media or facts(video(PTS0 + number * SEGMENT_MS * 90))
    return SegmentProbed(landed=claim, facts=found, observed_sha256=claim.object.sha256, probe_version="1")


def mp4(number: int = 0, length_ms: int = SEGMENT_MS, *findings: Finding, **changes: Any) -> SegmentProbed:
    """A file whose own clock starts at zero, as body cameras write them; only its claimed start places it."""
    return probed(number, facts(video(0, length_ms), container="mp4", reader="pyav", findings=findings), **changes)


def mtxi(number: int = 0, stream: str = "7b5c", **changes: Any) -> SegmentProbed:
    """A fragmented MP4 with the recorder's own identity inside: its place is known exactly although it starts at zero."""
    identity = BandIdentity(
        kind="mtxi",
        stream_id=stream,
        number=number,
        dts_ns=Nanos(number * SEGMENT_MS * 1_000_000),
        ntp_ns=Nanos((T0 + number * SEGMENT_MS) * 1_000_000),
    )
    return probed(number, facts(video(0), container="mp4", reader="isobmff+pyav", identities=(identity,)), **changes)


def photo(number: int = 0, **changes: Any) -> SegmentProbed:
    """A picture: no time of its own."""
    return probed(number, MediaFacts(media="photo", container="jpeg", reader="pyav"), **changes)


def unreadable(number: int = 0, **changes: Any) -> SegmentProbed:
    """Bytes no reader understands."""
    finding = Finding(kind="unreadable", level="interruption", evidence="bytes", expected="a media file", found="text")
    return probed(number, MediaFacts(media="unreadable", container="", reader="pyav", findings=(finding,)), **changes)


def hole(from_ms: int, to_ms: int) -> Finding:
    """A gap inside a file, as the probe reports it."""
    return Finding(
        kind="gap",
        level="interruption",
        evidence="media_clock",
        expected="40 ms between frames",
        found=f"{to_ms - from_ms} ms",
        from_ms=from_ms,
        to_ms=to_ms,
        size_ms=to_ms - from_ms,
    )


def annotation(annotation_id: str, kind: AnnotationKind, **changes: Any) -> Annotation:
    """One statement about the default recording, a minute after T0."""
    fields: dict[str, Any] = {
        "annotation_id": annotation_id,
        "kind": kind,
        "source_id": SOURCE,
        "recording_id": RECORDING if kind in ("metadata", "explanation", "session_ended", "deadline_due") else None,
        "unit": "service-hall" if kind in ("schedule", "issued") else None,
        "made_at": WallMs(T0 + 60_000),
        "made_by": "officer-1",
    }
    return Annotation(**{**fields, **changes})


def always(**changes: Any) -> Schedule:
    """A hall camera that has to record day and night in China, and is silent after five minutes."""
    made = Schedule(
        source_kind="cctv",
        valid_from=WallMs(0),
        weekly=tuple(WeekdayHours(weekday=day, from_minute=0, to_minute=1440) for day in range(1, 8)),
        offsets=(ZoneOffset(since=WallMs(0), minutes=480),),
        silent_after_s=300,
    )
    return replace(made, **changes)


def session_ended(annotation_id: str = "end-1", expected: int | None = None, **changes: Any) -> Annotation:
    """The sender says it sent all it has."""
    body = changes.pop("ended", SessionEnded(reason="declared", expected_segments=expected))
    return annotation(annotation_id, "session_ended", ended=body, **changes)


def explanation(start_ms: int, end_ms: int, annotation_id: str = "why-1", **changes: Any) -> Annotation:
    """A spoken reason for a gap between two offsets from T0; ``voice`` (default: 5 s from the gap's end on) may be None."""
    voice = changes.pop("voice", (end_ms, end_ms + 5000))
    body = Explanation(
        gap_start=WallMs(T0 + start_ms),
        gap_end=WallMs(T0 + end_ms),
        reason=changes.pop("reason", "R4"),
        voice_start=WallMs(T0 + voice[0]) if voice else None,
        voice_end=WallMs(T0 + voice[1]) if voice else None,
    )
    return annotation(annotation_id, "explanation", explanation=body, **changes)


def metadata(annotation_id: str = "case-1", **changes: Any) -> Annotation:
    """The case's fields, complete."""
    body = changes.pop("metadata", Metadata(case_name="案 1", party_name="某公司", recorded_date="2026-11-24"))
    return annotation(annotation_id, "metadata", metadata=body, **changes)


def window(start_ms: int, end_ms: int, annotation_id: str = "plan-1", reason: str = "lens cleaning") -> Annotation:
    """A planned pause between two offsets from T0."""
    body = ScheduleWindow(start=WallMs(T0 + start_ms), end=WallMs(T0 + end_ms), reason=reason)
    return annotation(annotation_id, "schedule_window", window=body)
