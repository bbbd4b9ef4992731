"""The tracks that the index of an ISO base media file describes (ISO/IEC 14496-12, ``moov``), and where samples can lie.

Edits that go on where the one before ended are one. Other edits are read while they rise: the shown times are theirs, so that
an empty edit between two is a hole, and what the file holds between them and never shows is ``hidden``.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.adapters.media_av import NotExactlyError
from pipeline.adapters.media_bmff import Boxes, Inner, firsts, inside
from pipeline.adapters.media_stsd import Entry, UnknownEntry, entry
from pipeline.domain.probe import StreamKind

Column = npt.NDArray[np.int64]

MOST_SAMPLES: Final = 1 << 24
"""A week at 25 frames a second; what claims more is read by PyAV within the limits of its process."""
_MOST_EDITS: Final = 64
_KINDS: Final[dict[bytes, StreamKind]] = {b"vide": "video", b"soun": "audio"}


class Edit(NamedTuple):
    """``delay``, from the beginning of the film, and ``media_time`` in ticks of the track; ``length`` as well."""

    delay: int
    media_time: int
    length: int


@dataclass(slots=True, kw_only=True)
class Track:
    """One track and what of its samples has been found so far. ``times``, in decoding order, of samples that are there;
    ``lengths`` beside it for uncompressed sound; ``since`` and ``until``: what all promised samples span in decoding time,
    which is as long as what they span when shown. ``in_pieces``: each fragment tells its times and places from itself, as players want
    that are fed piece by piece."""

    number: int
    kind: StreamKind
    entry: Entry
    timescale: int
    edits: tuple[Edit, ...]
    tables: dict[bytes, Inner]
    default: tuple[int, int] = (0, 0)
    times: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    promised: int = 0
    in_pieces: bool = True
    trimmed: tuple[int, int] = (0, 0)
    since: int | None = None
    until: int | None = None
    next_ticks: int = 0

    @property
    def hidden(self) -> tuple[tuple[int, int], ...]:
        """Where an edit begins after the one before, and how much the file holds between them that neither shows."""
        between = ((b.delay, b.media_time - a.media_time - a.length) for a, b in pairwise(self.edits))
        return tuple((at, length) for at, length in between if length > 0)

    @property
    def shift(self) -> int:
        """What an edit takes from the times of fragments."""
        return self.edits[0].media_time - self.edits[0].delay if self.edits else 0

    def take(self, times: Column, since: int, until: int, there: npt.NDArray[np.bool_] | None) -> None:
        """Add samples that span a decoding time; *there*: which of them the file holds, ``None`` for all."""
        self.promised += times.size
        self.since = since if self.since is None else min(self.since, since)
        self.until = until if self.until is None else max(self.until, until)
        self.times.frombytes((times if there is None else times[there]).tobytes())


class Media:
    """Where samples can lie. ``astray``: how many lie in the file, but outside all media data."""

    def __init__(self, boxes: Boxes) -> None:
        self._starts = np.frombuffer(boxes.media_starts, np.int64) if boxes.media_starts else np.empty(0, np.int64)
        self._ends = np.frombuffer(boxes.media_ends, np.int64) if boxes.media_ends else np.empty(0, np.int64)
        self._plain_starts, self._plain_ends = boxes.media_starts, boxes.media_ends
        self._size_bytes = boxes.size_bytes
        self._at = 0
        self.astray = 0

    def holds(self, start: int, end: int) -> bool:
        """Whether one stretch of bytes lies in one box; asked in rising order it is cheap."""
        starts, count = self._plain_starts, len(self._plain_starts)
        if self._at and starts[self._at] > start:
            self._at = 0
        while self._at + 1 < count and starts[self._at + 1] <= start:
            self._at += 1
        return count > 0 and starts[self._at] <= start and end <= self._plain_ends[self._at]

    def hold(self, starts: Column, ends: Column) -> npt.NDArray[np.bool_]:
        """Which of many stretches lie in one box each."""
        if not self._starts.size:
            return np.zeros(starts.size, np.bool_)
        box = np.searchsorted(self._starts, starts, side="right") - 1
        return (box >= 0) & (starts >= self._starts[box]) & (ends <= self._ends[box])

    def there(self, starts: Column, ends: Column) -> npt.NDArray[np.bool_]:
        """Which of many samples the file holds."""
        there = (starts >= 0) & (ends <= self._size_bytes)
        self.astray += int(np.count_nonzero(there & ~self.hold(starts, ends)))
        return there


class Movie(NamedTuple):
    """What the index says of the whole film."""

    timescale: int
    created_s: int


def tracks_of(moov: bytes) -> tuple[list[Track], Movie]:
    """The tracks that an index describes, none of their samples read yet. Raises ``NotExactlyError``."""
    children = list(inside(moov, 0, len(moov)))
    movie, defaults, tracks = Movie(0, 0), {}, []
    for box in children:
        if box.kind == b"mvhd":
            long = moov[box.body] == 1
            created, timescale = struct.unpack_from(">Q8xI" if long else ">I4xI", moov, box.body + 4)
            movie = Movie(timescale, created)
        elif box.kind == b"mvex":
            for extends in inside(moov, box.body, box.end):
                if extends.kind == b"trex":
                    number, _, duration, size = struct.unpack_from(">IIII", moov, extends.body + 4)
                    defaults[number] = (duration, size)
        elif box.kind == b"cmov":
            raise NotExactlyError("a compressed index")
    for box in children:
        if box.kind == b"trak":
            track = _track(moov, box, movie.timescale)
            track.default = defaults.get(track.number, (0, 0))
            tracks.append(track)
    return tracks, movie


def _track(moov: bytes, trak: Inner, movie_timescale: int) -> Track:
    parts = firsts(moov, trak.body, trak.end)
    media = firsts(moov, parts[b"mdia"].body, parts[b"mdia"].end)
    info = firsts(moov, media[b"minf"].body, media[b"minf"].end)
    tables = firsts(moov, info[b"stbl"].body, info[b"stbl"].end)
    header, head = media[b"mdhd"].body, parts[b"tkhd"].body
    (timescale,) = struct.unpack_from(">I", moov, header + (20 if moov[header] == 1 else 12))
    (number,) = struct.unpack_from(">I", moov, head + (20 if moov[head] == 1 else 12))
    handler = moov[media[b"hdlr"].body + 8 : media[b"hdlr"].body + 12]
    if not 0 < timescale < 1 << 31:
        raise NotExactlyError("a time scale of 0")
    if b"dinf" in info:
        _own_data(moov, info[b"dinf"])
    try:
        described = entry(moov, tables[b"stsd"], handler)
    except UnknownEntry as exc:
        raise NotExactlyError(str(exc)) from exc
    return Track(
        number=number,
        kind=_KINDS.get(handler, "other"),
        entry=described,
        timescale=timescale,
        edits=_edits(moov, parts.get(b"edts"), timescale, movie_timescale),
        tables=tables,
    )


def _own_data(moov: bytes, dinf: Inner) -> None:
    """Media data in another file is none of this one's (8.7.2: flag 1 says it is here)."""
    reference = firsts(moov, dinf.body, dinf.end).get(b"dref")
    if reference is not None:
        for data in inside(moov, reference.body + 8, reference.end):
            if not moov[data.body + 3] & 1:
                raise NotExactlyError("media data in another file")


def _edits(moov: bytes, edts: Inner | None, timescale: int, movie_timescale: int) -> tuple[Edit, ...]:
    """The edits that show media, in order; those that continue each other as one (8.6.6)."""
    box = firsts(moov, edts.body, edts.end).get(b"elst") if edts is not None else None
    if box is None or not movie_timescale:
        return ()
    form = struct.Struct(">Qqi" if moov[box.body] == 1 else ">Iii")
    (count,) = struct.unpack_from(">I", moov, box.body + 4)
    if count > _MOST_EDITS or box.body + 8 + form.size * count > box.end:
        raise NotExactlyError(f"{count} edits")
    rounding = 2 + timescale // movie_timescale
    edits: list[Edit] = []
    film = 0
    for length, media_time, rate in form.iter_unpack(moov[box.body + 8 : box.body + 8 + form.size * count]):
        start, end = (_rescaled(moment, timescale, movie_timescale) for moment in (film, film + length))
        film += length
        if media_time == -1:
            continue
        if media_time < 0 or rate != 1 << 16:
            raise NotExactlyError(f"{count} edits")
        before = edits[-1] if edits else None
        skipped = media_time - before.media_time - before.length if before else 0
        if skipped < -rounding:
            raise NotExactlyError(f"{count} edits, which go back")
        if before and start == before.delay + before.length and skipped <= rounding:
            edits[-1] = before._replace(length=end - before.delay)
        else:
            edits.append(Edit(start, media_time, end - start))
    if not edits and film:
        raise NotExactlyError("an edit that shows nothing")
    return tuple(edits)


def _rescaled(value: int, to: int, of: int) -> int:
    return (2 * value * to + of) // (2 * of)
