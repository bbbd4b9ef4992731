"""Playlist: a recording's playable view, an HLS VOD playlist over the originals where they lie.

Nothing is copied or remuxed; the playlist only points (RFC 8216). Rule 1: time is kept. A file's length is its measured
span of presentation times, and every gap between files is filled with EXT-X-GAP pieces of its own length. Rule 2: a
player is told (EXT-X-DISCONTINUITY) wherever the media clock or the format does not simply go on. Rule 3: what HLS cannot
play from the original itself is a comment that says so, never left out in silence. Rule 4: decimals come from integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from pipeline.domain.continuity import Gap
from pipeline.domain.landing import ObjectRef
from pipeline.domain.media import floor_half_up, milliseconds, unwrap_33
from pipeline.domain.probe import MediaFacts, StreamFacts
from pipeline.domain.time import WallMs, to_rfc3339

DISCONTINUITY_MS: Final = 50
"""Where files meet, a residual of the media clock beyond this is told to players."""
TRANSPORT_STREAM: Final = "mpegts"
_IN_PLACE: Final = (TRANSPORT_STREAM, "aac", "mp3")
_TO_BUCKETS: Final = "../" * 5
"""From ``<records>/recordings/<source>/<recording>/r<n>/`` to where the buckets stand side by side."""
_NOTHING: Final = "gap.ts"
"""Address of a gap's pieces. It is never loaded; its extension keeps players content that look at extensions first."""
_SLACK_MS: Final = 50
"""How far rounding may move an interruption inside a file beyond that file's ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An original with its facts and its place on the wall timeline."""

    original: ObjectRef
    facts: MediaFacts
    start: WallMs | None
    end: WallMs | None


def unplayable(facts: MediaFacts) -> str | None:
    """Why HLS cannot play this original in place; ``None`` if it can."""
    if facts.media != "timed":
        return f"{facts.media}: not timed media"
    if facts.container not in _IN_PLACE:
        return f"container {facts.container} needs a derived file"
    if _lead(facts) is None:
        return "no stream with usable timestamps"
    return None


def playlist(originals: Sequence[Placed], gaps: Sequence[Gap]) -> str:
    """The playlist of *originals* in timeline order, with *gaps* of the recording's account in between."""
    playable = [item for item in originals if unplayable(item.facts) is None]
    target_s = max((-(-_micros(item.facts) // 1_000_000) for item in playable), default=1) or 1
    body: list[str] = []
    before: Placed | None = None
    torn = False
    for item in _in_order(originals, gaps):
        if isinstance(item, Gap):
            body += _gap(item, target_s)
            torn = True
            continue
        reason = unplayable(item.facts)
        if reason is not None:
            body.append(f"# not playable in place ({reason}): {_uri(item.original)}")
            torn = True
            continue
        if before is not None and (torn or _breaks(before.facts, item.facts)):
            body.append("#EXT-X-DISCONTINUITY")
        body += _segment(item, gaps)
        before, torn = item, False
    head = ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-PLAYLIST-TYPE:VOD", f"#EXT-X-TARGETDURATION:{target_s}"]
    return "\n".join([*head, "#EXT-X-MEDIA-SEQUENCE:0", *body, "#EXT-X-ENDLIST"]) + "\n"


def _in_order(originals: Sequence[Placed], gaps: Sequence[Gap]) -> Iterator[Placed | Gap]:
    """Originals with the gaps between them at their places; gaps inside a file are that file's own."""
    between = [gap for gap in gaps if not any(_inside(gap, item) for item in originals)]
    for item in originals:
        while between and (item.start is None or between[0].start < item.start):
            yield between.pop(0)
        yield item
    yield from between


def _inside(gap: Gap, item: Placed) -> bool:
    if item.start is None or item.end is None:
        return False
    return item.start - _SLACK_MS < gap.start and gap.end < item.end + _SLACK_MS


def _segment(item: Placed, gaps: Sequence[Gap]) -> list[str]:
    inside = [
        f"# interruption inside this file: {to_rfc3339(gap.start)} to {to_rfc3339(gap.end)}"
        for gap in gaps
        if _inside(gap, item)
    ]
    date = [] if item.start is None else [f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(item.start)}"]
    return [*inside, *date, f"#EXTINF:{_decimal(_micros(item.facts))},", _uri(item.original)]


def _gap(gap: Gap, target_s: int) -> list[str]:
    lines = [f"# no recording: {to_rfc3339(gap.start)} to {to_rfc3339(gap.end)}, {gap.state}"]
    start, step_ms = gap.start, target_s * 1000
    while start < gap.end:
        length_ms = min(step_ms, gap.end - start)
        date = f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(start)}"
        lines += ["#EXT-X-GAP", date, f"#EXTINF:{_decimal(length_ms * 1000)},", _NOTHING]
        start = WallMs(start + length_ms)
    return lines


def _breaks(before: MediaFacts, after: MediaFacts) -> bool:
    """The media clock or the format of *after* does not simply go on from *before*."""
    one, two = _lead(before), _lead(after)
    if one is None or two is None or _formats(before) != _formats(after):
        return True
    if one.time_base != two.time_base:
        return True
    assert one.last_ticks is not None
    assert one.median_interval_ticks is not None
    assert two.first_ticks is not None
    residual = two.first_ticks - (one.last_ticks + one.median_interval_ticks)
    if before.container == after.container == TRANSPORT_STREAM:
        residual = unwrap_33(residual)
    return abs(milliseconds(two.time_base.seconds(residual))) > DISCONTINUITY_MS


def _formats(facts: MediaFacts) -> tuple[tuple[str, str, str], ...]:
    return tuple((stream.kind, stream.codec, stream.format) for stream in facts.streams)


def _lead(facts: MediaFacts) -> StreamFacts | None:
    """The stream whose clock stands for the file: the first video, else the first audio, with timestamps."""
    timed = [
        stream
        for stream in facts.streams
        if stream.first_ticks is not None and stream.last_ticks is not None and stream.median_interval_ticks is not None
    ]
    video = [stream for stream in timed if stream.kind == "video"]
    return next(iter(video or [stream for stream in timed if stream.kind == "audio"]), None)


def _micros(facts: MediaFacts) -> int:
    """The file's measured length in microseconds: greatest - least presentation time + one interval."""
    lead = _lead(facts)
    if lead is None or lead.last_ticks is None or lead.first_ticks is None or lead.median_interval_ticks is None:
        return 0
    span = lead.last_ticks - lead.first_ticks + lead.median_interval_ticks
    return floor_half_up(lead.time_base.seconds(span) * Fraction(1_000_000))


def _decimal(micros: int) -> str:
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def _uri(original: ObjectRef) -> str:
    return f"{_TO_BUCKETS}{original.bucket}/{original.key}"
