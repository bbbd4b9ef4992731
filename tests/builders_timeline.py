"""Timelines made by hand, and the account of them in short."""

from __future__ import annotations

from pipeline.domain.account import Account, account
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import SegmentProbed, StreamFacts
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import Timeline, insert
from tests.builders import PTS0, SEGMENT_MS, T0, claimed, facts, probed, video

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
LENGTH = SEGMENT_MS * 90


def timeline(*segments: SegmentProbed) -> Timeline:
    made = Timeline()
    for segment in segments:
        made, _ = insert(made, segment, TOLERANCE)
    return made


def told(*segments: SegmentProbed) -> Account:
    return account(timeline(*segments), TOLERANCE)


def at(number: int, media_ms: int, wall_ms: int) -> SegmentProbed:
    """File *number* whose stamps are *media_ms* and whose claim is *wall_ms* later than if nothing had happened."""
    first = PTS0 + number * LENGTH + media_ms * 90
    return probed(number, facts(video(first)), claimed_start=claimed(T0 + number * SEGMENT_MS + wall_ms))


def kinds(found: Account) -> list[tuple[str, str]]:
    return [(finding.kind, finding.level) for finding in found.findings]


def gaps(found: Account) -> list[tuple[int, int, str]]:
    return [(gap.start - T0, gap.size_ms, gap.evidence) for gap in found.gaps]


def named(number: int, media_ms: int, wall_ms: int, length_ms: int = 600_000) -> SegmentProbed:
    """File *number* of a day of ten-minute files, with a name in whole seconds."""
    first = (PTS0 + (number * length_ms + media_ms) * 90) % MPEG_TS_WRAP
    at = T0 + number * length_ms + media_ms + wall_ms
    return probed(
        number,
        facts(video(first, length_ms)),
        claimed_start=claimed(at - at % 1000),
        received_at=WallMs(T0 + 2 * 86_400_000),
    )


def both(number: int, *streams: StreamFacts) -> SegmentProbed:
    return probed(number, facts(*streams))
