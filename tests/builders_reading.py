"""Readings made by hand: streams of 90 kHz ticks, and what is judged of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from typing import Any

from pipeline.domain.cadence import Cadence
from pipeline.domain.facts import judge
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import FileReading, StreamReading

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
FRAME = 3600  # 25 frames a second at 90 kHz
SOUND = 1920  # 1024 samples of 48 kHz at 90 kHz


def cadence(times: list[int]) -> Cadence:
    runs = [(interval, len(list(same))) for interval, same in groupby(b - a for a, b in pairwise(times))]
    starts = accumulate((interval * count for interval, count in runs), initial=times[0] if times else 0)
    return Cadence(
        starts=list(starts)[: len(runs)], intervals=[run[0] for run in runs], counts=[run[1] for run in runs]
    )


def stream(times: list[int], **changes: Any) -> StreamReading:
    """A 90 kHz video stream with these presentation times."""
    made = StreamReading(
        index=0,
        kind="video",
        codec="h264",
        time_base_num=1,
        time_base_den=90_000,
        packets=len(times),
        first_ticks=times[0] if times else None,
        last_ticks=times[-1] if times else None,
        cadence=cadence(times),
    )
    return replace(made, **changes)


def sound(times: list[int], **changes: Any) -> StreamReading:
    return stream(times, **{"index": 1, "kind": "audio", "codec": "aac", **changes})


def frames(count: int, interval: int = FRAME, start: int = 0) -> list[int]:
    return [start + i * interval for i in range(count)]


def without(times: list[int], from_ms: int, to_ms: int) -> list[int]:
    return [t for t in times if not from_ms * 90 <= t < to_ms * 90]


def judged(*streams: StreamReading, **changes: Any) -> MediaFacts:
    return judge(FileReading(container="mpegts", reader="test", streams=streams, **changes), TOLERANCE)


def kinds(facts: MediaFacts) -> list[tuple[str, str]]:
    return [(finding.kind, finding.level) for finding in facts.findings]
