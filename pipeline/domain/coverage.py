"""Coverage: where each stream of a judged recording shows something, so that it can be drawn.

Nothing is judged here. A stream's files are laid where the recording's clock put them and joined where the judgement takes
them as running on; what was judged missing, in the stream or in all of them, is taken out again. Streams of different
files are the same stream when they are of one kind and rank, as in :mod:`~pipeline.domain.timeline`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipeline.domain.check import Checked
from pipeline.domain.media import milliseconds
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import StreamFacts, StreamKind
from pipeline.domain.recording import JudgedSegment
from pipeline.domain.spans import Spans, joined, without

_HOLES: Final = ("gap", "partial_gap")


class Lane(NamedTuple):
    """One stream through all files. ``rank`` counts streams of its kind from 1; ``spans`` are wall milliseconds."""

    kind: StreamKind
    rank: int
    codec: str
    spans: Spans


def lanes(checked: Checked, tolerance: Tolerance) -> tuple[Lane, ...]:
    """Each timed stream of *checked*, in the order in which the files have them."""
    codecs: dict[tuple[StreamKind, int], str] = {}
    pieces: dict[tuple[StreamKind, int], list[tuple[int, int]]] = {}
    holes: dict[tuple[StreamKind, int], list[tuple[int, int]]] = {}
    for _, segment in checked.files:
        for key, stream, span in _placed(segment):
            codecs.setdefault(key, stream.codec)
            pieces.setdefault(key, []).append(span)
            holes.setdefault(key, []).extend(_inside(segment, stream))
    gaps = [(int(gap.start), int(gap.end)) for gap in checked.ended.gaps] if checked.ended else []
    slack_ms = max([tolerance.across_files_ms, *(basis.doubt_ms(tolerance) for basis in checked.bases)])
    return tuple(
        Lane(
            kind, rank, codecs[kind, rank], tuple(without(joined(spans, slack_ms), joined([*gaps, *holes[kind, rank]])))
        )
        for (kind, rank), spans in pieces.items()
    )


def numbered(checked: Checked) -> tuple[tuple[StreamKind, int], ...]:
    """The streams by kind and rank as findings between files number them: :mod:`~pipeline.domain.oddities` has them in
    falling order of their names."""
    there = {key for _, segment in checked.files for key, _, _ in _placed(segment)}
    return tuple(sorted(there, key=lambda key: f"{key[0]}{key[1] - 1}", reverse=True))


def _placed(segment: JudgedSegment) -> Iterator[tuple[tuple[StreamKind, int], StreamFacts, tuple[int, int]]]:
    """The streams of a placed file by kind and rank, with where each begins and ends."""
    if segment.start is None or segment.end is None:
        return
    timed = [stream for stream in segment.probed.facts.streams if stream.kind != "other"]
    zero = min(
        (stream.time_base.seconds(stream.first_ticks) for stream in timed if stream.first_ticks is not None),
        default=None,
    )
    ranks: dict[StreamKind, int] = {}
    for stream in timed:
        ranks[stream.kind] = ranks.get(stream.kind, 0) + 1
        if zero is None or stream.first_ticks is None or stream.last_ticks is None:
            continue
        first = stream.time_base.seconds(stream.first_ticks)
        last = stream.time_base.seconds(stream.last_ticks + (stream.median_interval_ticks or 0))
        lo = segment.start + milliseconds(first - zero)
        if lo >= segment.end:  # a program with a clock of its own: where it lies among the others is not known
            lo = segment.start
        yield (stream.kind, ranks[stream.kind]), stream, (lo, lo + milliseconds(last - first))


def _inside(segment: JudgedSegment, stream: StreamFacts) -> Iterator[tuple[int, int]]:
    for finding in segment.findings:
        if segment.start is None or finding.from_ms is None or finding.to_ms is None:
            continue
        if finding.kind in _HOLES and finding.stream in (None, stream.index):
            yield segment.start + finding.from_ms, segment.start + finding.to_ms
