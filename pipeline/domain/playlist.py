"""Playlist: a recording's playable view, an HLS VOD playlist over the originals where they lie.

The playlist only points (RFC 8216): to the originals, or for a viewing (:mod:`pipeline.domain.viewing`) to derivatives of
those that cannot be played themselves. Rule 1: time is kept. A file's length is its measured span of presentation times; every
gap between files, and every file that is not played, is filled with EXT-X-GAP pieces of its own length. Rule 2: a player is told (EXT-X-DISCONTINUITY)
wherever the media clock or the format does not simply go on. Rule 3: what a player is not given is a comment that says so,
never left out in silence. Rule 4: decimals come from integers. Rule 5: a fragmented file is its own init section
(EXT-X-MAP) and the rest of it; as no tag takes an init section back, a file without one cannot follow one that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from pipeline.domain.continuity import Gap
from pipeline.domain.derivative import Piece
from pipeline.domain.landing import ObjectRef
from pipeline.domain.media import floor_half_up, milliseconds, unwrap_33
from pipeline.domain.playable import has_times, playability
from pipeline.domain.probe import TRANSPORT_STREAMS, MediaFacts, StreamFacts
from pipeline.domain.time import WallMs, to_rfc3339

DISCONTINUITY_MS: Final = 50
"""Where files meet, a residual of the media clock beyond this is told to players."""
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


class Loaded(NamedTuple):
    """What a player loads for a file. ``derived``: not the original's own bytes, but these ``pieces`` of a copy, whose clock is
    another one. ``streams``: codecs in it; a browser keeps to those it began with."""

    uri: str
    size_bytes: int
    init_bytes: int | None = None
    derived: bool = False
    pieces: tuple[Piece, ...] = ()
    streams: tuple[str, ...] = ()


class Slot(NamedTuple):
    """A place in the playlist: a gap, or a file with what is loaded for it or why nothing is. ``micros``: how long it takes of
    the player's time; ``breaks``: the file before does not simply go on into it."""

    item: Placed | Gap
    loaded: Loaded | str
    micros: int
    breaks: bool = False


Source = Callable[[Placed], Loaded | str]
"""What is loaded for a file, or why nothing is."""


def unplayable(facts: MediaFacts) -> str | None:
    """Why HLS cannot play this original in place; ``None`` if it can."""
    found = playability(facts)
    if found.way == "in_place":
        return None
    return f"{found.why}: needs a derived file" if found.way == "derived" else found.why


def in_place(item: Placed) -> Loaded | str:
    """The original where it lies beside the records, or why it cannot be played there."""
    reason = unplayable(item.facts)
    return reason or Loaded(
        uri=_uri(item.original),
        size_bytes=item.original.size_bytes,
        init_bytes=item.facts.init_bytes,
        streams=tuple(stream.codec for stream in item.facts.streams if stream.kind != "other" and stream.packets),
    )


def laid_out(originals: Sequence[Placed], gaps: Sequence[Gap], source: Source = in_place) -> list[Slot]:
    """*originals* in timeline order, with *gaps* of the recording's account in between."""
    slots: list[Slot] = []
    before: tuple[Placed, Loaded] | None = None
    for item in _in_order(originals, gaps):
        if isinstance(item, Gap):
            slots.append(Slot(item, "", (item.end - item.start) * 1000))
            continue
        loaded = source(item)
        if isinstance(loaded, str):
            slots.append(Slot(item, loaded, _micros(item.facts)))
            continue
        breaks = before is not None and _breaks(before, (item, loaded))
        slots.append(Slot(item, loaded, sum(piece.micros for piece in _pieces(item, loaded)), breaks))
        before = item, loaded
    return slots


def playlist(originals: Sequence[Placed], gaps: Sequence[Gap], source: Source = in_place) -> str:
    """The playlist of *originals* in timeline order, with *gaps* in between."""
    return written(laid_out(originals, gaps, source), gaps)


def written(slots: Sequence[Slot], gaps: Sequence[Gap]) -> str:
    """The playlist of these *slots*; *gaps* within their files become remarks."""
    pieces = [
        piece
        for slot in slots
        if isinstance(slot.item, Placed) and isinstance(slot.loaded, Loaded)
        for piece in _pieces(slot.item, slot.loaded)
    ]
    target_s = max((-(-piece.micros // 1_000_000) for piece in pieces), default=1) or 1
    body: list[str] = []
    begun = torn = mapped = False
    for item, loaded, _, breaks in slots:
        if isinstance(item, Gap):
            body += _gap(item, target_s)
            torn = True
            continue
        if isinstance(loaded, Loaded) and mapped and not loaded.init_bytes:
            loaded = "its format cannot follow a file with an init section"
        if isinstance(loaded, str):
            body.append(f"# not played ({loaded}): {_uri(item.original)}")
            body += _blank(item.start, _micros(item.facts), target_s)
            torn = True
            continue
        body += ["#EXT-X-DISCONTINUITY"] if begun and (torn or breaks) else []
        body += _segment(item, loaded, gaps)
        begun, torn, mapped = True, False, loaded.init_bytes is not None
    head = ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-PLAYLIST-TYPE:VOD", f"#EXT-X-TARGETDURATION:{target_s}"]
    return "\n".join([*head, "#EXT-X-MEDIA-SEQUENCE:0", *body, "#EXT-X-ENDLIST"]) + "\n"


def _in_order(originals: Sequence[Placed], gaps: Sequence[Gap]) -> Iterator[Placed | Gap]:
    """Originals with the gaps between them at their places; gaps inside a file are that file's own."""
    between = [gap for gap in gaps if not any(inside(gap, item) for item in originals)]
    for item in originals:
        while between and (item.start is None or between[0].start < item.start):
            yield between.pop(0)
        yield item
    yield from between


def inside(gap: Gap, item: Placed) -> bool:
    """Whether *gap* lies within the file *item*."""
    if item.start is None or item.end is None:
        return False
    return item.start - _SLACK_MS < gap.start and gap.end < item.end + _SLACK_MS


def _segment(item: Placed, loaded: Loaded, gaps: Sequence[Gap]) -> list[str]:
    lines = [
        f"# interruption inside this file: {to_rfc3339(gap.start)} to {to_rfc3339(gap.end)}"
        for gap in gaps
        if inside(gap, item)
    ]
    if loaded.init_bytes:
        lines.append(f'#EXT-X-MAP:URI="{loaded.uri}",BYTERANGE="{loaded.init_bytes}@0"')
    if item.start is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(item.start)}")
    for piece in _pieces(item, loaded):
        lines.append(f"#EXTINF:{_decimal(piece.micros)},")
        if piece.offset:
            lines.append(f"#EXT-X-BYTERANGE:{piece.size_bytes}@{piece.offset}")
        lines.append(loaded.uri)
    return lines


def _pieces(item: Placed, loaded: Loaded) -> tuple[Piece, ...]:
    """What is loaded at once: the pieces of a copy, or the file behind its init section, if it has one."""
    before = loaded.init_bytes or 0
    whole = Piece(offset=before, size_bytes=loaded.size_bytes - before, micros=_micros(item.facts))
    return loaded.pieces or (whole,)


def _gap(gap: Gap, target_s: int) -> list[str]:
    remark = f"# no recording: {to_rfc3339(gap.start)} to {to_rfc3339(gap.end)}, {gap.state}"
    return [remark, *_blank(gap.start, (gap.end - gap.start) * 1000, target_s)]


def _blank(start: WallMs | None, micros: int, target_s: int) -> Iterator[str]:
    """Time in which nothing plays, in pieces."""
    at = 0
    while at < micros:
        length = min(target_s * 1_000_000, micros - at)
        yield "#EXT-X-GAP"
        if start is not None:
            yield f"#EXT-X-PROGRAM-DATE-TIME:{to_rfc3339(WallMs(start + at // 1000))}"
        yield f"#EXTINF:{_decimal(length)},"
        yield _NOTHING
        at += length


def _breaks(earlier: tuple[Placed, Loaded], later: tuple[Placed, Loaded]) -> bool:
    """The media clock or the format of *later* does not simply go on from *earlier*."""
    if earlier[1].derived or later[1].derived:
        return True
    before, after = earlier[0].facts, later[0].facts
    one, two = _lead(before), _lead(after)
    if one is None or two is None or _formats(before) != _formats(after):
        return True
    if one.time_base != two.time_base:
        return True
    assert one.last_ticks is not None
    assert one.median_interval_ticks is not None
    assert two.first_ticks is not None
    residual = two.first_ticks - (one.last_ticks + one.median_interval_ticks)
    if before.container == after.container and before.container in TRANSPORT_STREAMS:
        residual = unwrap_33(residual)
    return abs(milliseconds(two.time_base.seconds(residual))) > DISCONTINUITY_MS


def _formats(facts: MediaFacts) -> tuple[tuple[str, str, str], ...]:
    return tuple((stream.kind, stream.codec, stream.format) for stream in facts.streams)


def _lead(facts: MediaFacts) -> StreamFacts | None:
    """The stream whose clock stands for the file: the first video, else the first audio, with timestamps."""
    timed = [stream for stream in facts.streams if has_times(stream)]
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
