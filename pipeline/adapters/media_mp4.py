"""ISO base media files (ISO/IEC 14496-12), read directly: the times of samples from the index and the fragments, and which
of the indexed samples are really there. No codec is opened and no media data is read.

* A sample's presentation time is its decoding time (``stts``, or ``tfdt`` and the durations of ``trun``) and its
  composition offset (``ctts``, ``trun``), moved by the edit list: an empty edit delays, a media edit begins at its media
  time. Samples outside the edit warm the decoder up and are dropped, as is what lies beyond its end.
* Edits that go on where the one before ended are one. Other edits are read while they rise: the shown times are theirs, so
  that an empty edit between two is a hole, and what the file holds between them and never shows is ``hidden``.
* Pictures begin where the edit begins: the first one shown is moved there, as players do. Sound that straddles the
  beginning is kept at its place. In fragments edits only move, because they cannot name what is not written yet.
* A sample is there when the file holds all its bytes. Index entries beyond the end of a file that lost its tail are
  counted as lost, and their time as declared. Samples that lie outside all media data are there, but not what they should
  be: the file is damaged or was put together wrongly, and that is said.
* Uncompressed sound is taken in packets of at most 1024 samples, so that its times do not depend on chunks.

What this reader does not read exactly (edits that go back, several edits over fragments, other speeds, unknown codings, tables that contradict each other) raises
:class:`NotExactlyError`, and PyAV reads the file. Memory: the index as it is in the file, 8 bytes a sample, and a few copies
while one stream is worked on; tables are bounded by the bytes they are stored in and by ``_MOST_SAMPLES``.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.adapters import media_av, media_clocks, media_stamps, media_udta
from pipeline.adapters.columns import deltas
from pipeline.adapters.media_bmff import Boxes, Inner, firsts, identities, inside
from pipeline.adapters.media_stsd import Entry, UnknownEntry, entry
from pipeline.domain.marks import Mark
from pipeline.domain.probe import StreamKind
from pipeline.domain.reading import FileReading, StreamReading, Truncation
from pipeline.domain.time import ClaimedTime

Column = npt.NDArray[np.int64]
_Lost = tuple[int, int]

_MOST_FRAGMENT_BYTES: Final = 16 << 20
_MOST_SAMPLES: Final = 1 << 24
"""A week at 25 frames a second; what claims more is read by PyAV within the limits of its process."""
_PCM_PACKET_SAMPLES: Final = 1024
_MOST_EDITS: Final = 64
_FURTHEST_OFFSET: Final = 1 << 28
_KINDS: Final[dict[bytes, StreamKind]] = {b"vide": "video", b"soun": "audio"}


class NotExactlyError(Exception):
    """This reader does not read the file exactly; the text says why."""


class Edit(NamedTuple):
    """``delay``, from the beginning of the film, and ``media_time`` in ticks of the track; ``length`` as well."""

    delay: int
    media_time: int
    length: int


@dataclass(slots=True, kw_only=True)
class _Track:
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


def read(file: BinaryIO, boxes: Boxes, moov: bytes | None) -> FileReading:
    """The file with this skeleton and this body of its index. Fragments that lie in another order than their writer numbered
    them are read in his, if their times then rise. Raises ``NotExactlyError``."""
    reading = _read(file, boxes, moov)
    numbers = reading.numbers
    if len(numbers) == len(boxes.fragments) == len(set(numbers)) and any(b < a for a, b in pairwise(numbers)):
        ordered = array("q", (start for _, start in sorted(zip(numbers, boxes.fragments, strict=True))))
        other = _read(file, replace(boxes, fragments=ordered), moov)
        if _steps_back(other) < _steps_back(reading):
            return replace(other, numbers=numbers)
    return reading


def _steps_back(reading: FileReading) -> int:
    return sum(len(stream.resets) for stream in reading.streams)


def _read(file: BinaryIO, boxes: Boxes, moov: bytes | None) -> FileReading:
    if boxes.crowded:
        raise NotExactlyError("too many boxes")
    if moov is None:
        raise NotExactlyError("no whole index")
    try:
        tracks, movie = _tracks(moov)
        if not any(track.kind != "other" for track in tracks):
            raise NotExactlyError("no sound or picture")
        media = _Media(boxes)
        for track in tracks:
            _from_index(moov, track, media)
        indexed = any(track.promised for track in tracks)
        numbers = _from_fragments(file, boxes, tracks, media) if boxes.fragments else ()
        made = media_clocks.created(movie.created_s)
        clocks = [made, *_time_codes(file, moov, tracks, made)]
    except (struct.error, IndexError, KeyError, OverflowError, ValueError) as exc:
        raise NotExactlyError(f"tables that do not fit ({type(exc).__name__})") from exc
    promised, there = sum(t.promised for t in tracks), sum(len(t.times) for t in tracks)
    truncation = boxes.truncation
    if there < promised:
        truncation = Truncation(
            expected=f"{promised} indexed samples",
            found=f"{promised - there} of them are not in the file",
            byte_offset=truncation.byte_offset if truncation else None,
        )
    elif media.astray and not truncation:
        truncation = Truncation(
            expected="samples in media data", found=f"{media.astray} of {promised} lie elsewhere in the file"
        )
    return FileReading(
        container="fmp4" if boxes.fragmented else "mp4",
        reader="isobmff",
        streams=tuple(_stream(index, track) for index, track in enumerate(tracks)),
        truncation=truncation,
        identities=identities(moov),
        clocks=tuple(clock for clock in clocks if clock is not None),
        marks=_marks(boxes, tracks),
        numbers=numbers,
        device=media_av.device(media_udta.tags(moov)),
        init_bytes=_init_bytes(boxes, tracks) if not indexed else None,
    )


def _init_bytes(boxes: Boxes, tracks: list[_Track]) -> int | None:
    """Where the first fragment begins, if the index stands before it and each fragment can be told from itself."""
    first = min(boxes.fragments, default=0)
    if boxes.index is None or not first or boxes.index.end > first:
        return None
    return first if all(track.in_pieces for track in tracks) else None


class _Media:
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


# The index.


class _Movie(NamedTuple):
    timescale: int
    created_s: int


def _tracks(moov: bytes) -> tuple[list[_Track], _Movie]:
    children = list(inside(moov, 0, len(moov)))
    movie, defaults, tracks = _Movie(0, 0), {}, []
    for box in children:
        if box.kind == b"mvhd":
            long = moov[box.body] == 1
            created, timescale = struct.unpack_from(">Q8xI" if long else ">I4xI", moov, box.body + 4)
            movie = _Movie(timescale, created)
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


def _track(moov: bytes, trak: Inner, movie_timescale: int) -> _Track:
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
    return _Track(
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


# Samples of the index.


def _from_index(moov: bytes, track: _Track, media: _Media) -> None:
    count, sizes = _sizes(moov, track)
    if not count:
        return
    stts = _table(moov, track.tables[b"stts"], ">u4", 2)
    if int(stts[:, 0].sum()) != count or (stts[:, 1] >= 1 << 31).any():
        raise NotExactlyError("a table of times of another length")
    if track.entry.sample_bytes:
        if stts.shape[0] != 1 or stts[0, 1] != 1:
            raise NotExactlyError("uncompressed sound with durations")
        _packets(moov, track, count, media)
        return
    if count > _MOST_SAMPLES:
        raise NotExactlyError(f"{count} samples")
    durations: Column | int = int(stts[0, 1]) if stts.shape[0] == 1 else np.repeat(stts[:, 1], stts[:, 0])
    decoding = _from_zero(durations, count)
    track.next_ticks = int(decoding[-1]) + (durations if isinstance(durations, int) else int(durations[-1]))
    shown = decoding
    if b"ctts" in track.tables:
        ctts = _table(moov, track.tables[b"ctts"], ">i4", 2)
        offsets = np.repeat(ctts[:, 1], ctts[:, 0].astype(np.int64) & 0xFFFFFFFF) if _fits(ctts, count) else None
        if offsets is None or np.abs(offsets).max() > _FURTHEST_OFFSET:
            raise NotExactlyError("a table of offsets of another length")
        shown = decoding + offsets
    there = _there(moov, track, count, sizes, media)
    track.trimmed = _trimmed(track, shown, durations)
    if not track.edits:
        track.take(shown, 0, track.next_ticks, there)
    for edit in track.edits:
        kept, base = _edited(edit, track.kind, decoding, shown, durations)
        begins = decoding[kept] - base
        last = durations if isinstance(durations, int) else int(durations[kept][-1])
        track.take(
            shown[kept] - base, int(begins[0]), int(begins[-1]) + last, there[kept] if there is not None else None
        )


def _trimmed(track: _Track, shown: Column, durations: Column | int) -> tuple[int, int]:
    """What the file holds before the first edit and after the last, in ticks."""
    if not track.edits:
        return 0, 0
    last = durations if isinstance(durations, int) else int(durations[-1])
    first, end = track.edits[0].media_time, track.edits[-1].media_time + track.edits[-1].length
    return max(0, first - int(shown.min())), max(0, int(shown.max()) + last - end)


def _from_zero(durations: Column | int, count: int) -> Column:
    if isinstance(durations, int):
        return np.arange(count, dtype=np.int64) * durations
    times = np.cumsum(durations)
    times -= durations
    return times


def _fits(runs: Column, count: int) -> bool:
    return int((runs[:, 0] & 0xFFFFFFFF).sum()) == count


def _edited(
    edit: Edit, kind: StreamKind, decoding: Column, shown: Column, durations: Column | int
) -> tuple[npt.NDArray[np.bool_], int]:
    """Which samples an edit shows, and what to take from their times."""
    inside_edit = shown < edit.media_time + edit.length
    first_shown = shown >= edit.media_time
    straddles = (shown < edit.media_time) & (shown + durations > edit.media_time) & (kind == "audio")
    kept = inside_edit & (first_shown | straddles)
    if not kept.any():
        raise NotExactlyError("an edit that shows nothing")
    first = int(np.argmax(kept))
    if kind == "audio":
        base = edit.media_time if straddles[first] else int(shown[first])
    else:
        base = max(int(shown[kept].min()), int(decoding[first]))
    return kept, base - edit.delay


def _sizes(moov: bytes, track: _Track) -> tuple[int, Column | int]:
    """How many samples, and the size of each or of all."""
    if b"stsz" in track.tables:
        box = track.tables[b"stsz"]
        size, count = struct.unpack_from(">II", moov, box.body + 4)
        if size:
            return count, int(size)
        return count, _column(moov, box.body + 12, box.end, ">u4", count) if count else 0
    box = track.tables[b"stz2"]
    bits, count = struct.unpack_from(">BI", moov, box.body + 7)
    if bits == 4:
        pairs = _column(moov, box.body + 12, box.end, "u1", (count + 1) // 2)
        return count, np.stack((pairs >> 4, pairs & 15), axis=1).ravel()[:count]
    return count, _column(moov, box.body + 12, box.end, {8: "u1", 16: ">u2"}[bits], count)


def _column(data: bytes, start: int, end: int, form: str, count: int) -> Column:
    if start + count * np.dtype(form).itemsize > end:
        raise NotExactlyError("a table that is cut")
    return np.frombuffer(data, form, count, start).astype(np.int64)


def _table(moov: bytes, box: Inner, form: str, width: int) -> Column:
    """A full box with a count and that many rows."""
    (rows,) = struct.unpack_from(">I", moov, box.body + 4)
    return _column(moov, box.body + 8, box.end, form, rows * width).reshape(rows, width)


def _chunks(moov: bytes, track: _Track, count: int) -> tuple[Column, Column]:
    """Each chunk's offset and its number of samples, which together are *count*."""
    wide = b"co64" in track.tables
    box = track.tables[b"co64" if wide else b"stco"]
    offsets = _table(moov, box, ">i8" if wide else ">u4", 1)[:, 0]
    runs = _table(moov, track.tables[b"stsc"], ">u4", 3)
    first = runs[:, 0] - 1
    lengths = deltas(np.append(first, offsets.size))
    if not runs.size or first[0] or (lengths < 0).any() or (offsets >> 62).any() or (runs[:, 2] != runs[0, 2]).any():
        raise NotExactlyError("a table of chunks that contradicts itself")
    if int((runs[:, 1].astype(object) * lengths.astype(object)).sum()) != count:
        raise NotExactlyError("chunks with another number of samples")
    return offsets, np.repeat(runs[:, 1], lengths)


def _there(moov: bytes, track: _Track, count: int, sizes: Column | int, media: _Media) -> npt.NDArray[np.bool_] | None:
    """Which samples lie in media data; ``None`` for all of them. Asked chunk by chunk first, which nearly always does."""
    offsets, counts = _chunks(moov, track, count)
    edges = np.concatenate(([0], np.cumsum(counts)))
    if isinstance(sizes, int):
        held = media.hold(offsets, offsets + counts * sizes)
    else:
        before = np.concatenate(([0], np.cumsum(sizes)))
        held = media.hold(offsets, offsets + before[edges[1:]] - before[edges[:-1]])
    if held.all():
        return None
    if isinstance(sizes, int):
        before = np.arange(count + 1, dtype=np.int64) * sizes
    starts = np.repeat(offsets - before[edges[:-1]], counts) + before[:-1]
    return media.there(starts, starts + deltas(before))


def _packets(moov: bytes, track: _Track, count: int, media: _Media) -> None:
    """Uncompressed sound: each chunk in packets of at most 1024 samples."""
    offsets, counts = _chunks(moov, track, count)
    pieces = -(-counts // _PCM_PACKET_SAMPLES)
    total = int(pieces.sum())
    if total > _MOST_SAMPLES:
        raise NotExactlyError(f"{count} samples")
    nth = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    inner = nth * _PCM_PACKET_SAMPLES
    lengths = np.minimum(np.repeat(counts, pieces) - inner, _PCM_PACKET_SAMPLES)
    times = np.repeat(np.cumsum(counts) - counts, pieces) + inner
    starts = np.repeat(offsets, pieces) + inner * track.entry.sample_bytes
    there = media.there(starts, starts + lengths * track.entry.sample_bytes)
    track.next_ticks = count
    if not track.edits:
        track.take(times, 0, count, there)
        track.lengths.frombytes(lengths[there].tobytes())
    for edit in track.edits:
        kept, base = _edited(edit, track.kind, times, times, lengths)
        begins = times[kept] - base
        track.take(begins, int(begins[0]), int(begins[-1] + lengths[kept][-1]), there[kept])
        track.lengths.frombytes(lengths[kept & there].tobytes())


# Samples of fragments.

_TFHD_BASE, _TFHD_ENTRY, _TFHD_DURATION, _TFHD_SIZE, _TFHD_FROM_MOOF = 0x1, 0x2, 0x8, 0x10, 0x20000
_TRUN_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION = 0x100, 0x200, 0x400, 0x800


def _from_fragments(file: BinaryIO, boxes: Boxes, tracks: list[_Track], media: _Media) -> array[int]:
    """Read them all; the numbers their writer gave them (8.8.5), in order of place."""
    if any(len(track.edits) > 1 for track in tracks):
        raise NotExactlyError("several edits over fragments")
    by_number = {track.number: track for track in tracks}
    descriptor = file.fileno()
    numbers = array("Q")
    for start in boxes.fragments:
        data = os.pread(descriptor, 4096, start)
        size, body = int.from_bytes(data[:4], "big"), 8
        if size == 1:
            size, body = int.from_bytes(data[8:16], "big"), 16
        elif size == 0:
            size = boxes.size_bytes - start
        if size > _MOST_FRAGMENT_BYTES:
            raise NotExactlyError("a fragment of more than 16 MiB of tables")
        if size > len(data):
            data = os.pread(descriptor, size, start)
        after = start
        for box in inside(data, body, size):
            if box.kind == b"mfhd":
                numbers.append(*struct.unpack_from(">I", data, box.body + 4))
            elif box.kind == b"traf":
                after = _fragment(data, box, start, after, by_number, boxes, media)
    return numbers


def _fragment(
    data: bytes, traf: Inner, moof: int, after: int, tracks: dict[int, _Track], boxes: Boxes, media: _Media
) -> int:
    """Samples of one track in one fragment; returns where its data ends."""
    parts = list(inside(data, traf.body, traf.end))
    header = next((box for box in parts if box.kind == b"tfhd"), None)
    if header is None:
        raise NotExactlyError("a fragment without a header")
    flags, number = struct.unpack_from(">II", data, header.body)
    track = tracks.get(number)
    if track is None:
        return after
    if track.entry.sample_bytes:
        raise NotExactlyError("uncompressed sound in fragments")
    at, (duration, size) = header.body + 8, track.default
    base = moof if flags & _TFHD_FROM_MOOF else after
    if flags & _TFHD_BASE:
        (base,) = struct.unpack_from(">Q", data, at)
        at += 8
        track.in_pieces = False
    at += 4 if flags & _TFHD_ENTRY else 0
    if flags & _TFHD_DURATION:
        (duration,) = struct.unpack_from(">I", data, at)
        at += 4
    if flags & _TFHD_SIZE:
        (size,) = struct.unpack_from(">I", data, at)
    timed = next((box for box in parts if box.kind == b"tfdt"), None)
    if timed is not None:
        (track.next_ticks,) = struct.unpack_from(">Q" if data[timed.body] == 1 else ">I", data, timed.body + 4)
    elif boxes.segment_index:
        raise NotExactlyError("fragments timed by a segment index")
    track.in_pieces &= timed is not None
    place = base
    for box in parts:
        if box.kind == b"trun":
            place = _run(data, box, track, base, place, duration, size, media)
    return place


def _run(
    data: bytes, trun: Inner, track: _Track, base: int, place: int, duration: int, size: int, media: _Media
) -> int:
    """One run of samples; returns where its data ends."""
    flags, count = struct.unpack_from(">II", data, trun.body)
    at = trun.body + 8
    if flags & _TRUN_OFFSET:
        place = base + int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
    at += 4 if flags & _TRUN_FIRST_FLAGS else 0
    if not 0 <= place < 1 << 62:
        raise NotExactlyError("a run of samples outside all files")
    if not count:
        return place
    width = (flags >> 8 & 1) + (flags >> 9 & 1) + (flags >> 10 & 1) + (flags >> 11 & 1)
    if count > _MOST_SAMPLES or len(track.times) + count > _MOST_SAMPLES:
        raise NotExactlyError(f"{count} samples")
    if at + 4 * width * count > trun.end:
        raise NotExactlyError("a run of samples that is cut")
    rows = np.frombuffer(data, ">u4", width * count, at).reshape(count, width)
    column = 0
    durations: Column | int = duration
    sizes: npt.NDArray[np.uint32] | int = size
    if flags & _TRUN_DURATION:
        durations = rows[:, column].astype(np.int64)
        column += 1
    if flags & _TRUN_SIZE:
        sizes = rows[:, column]
        column += 1
    column += 1 if flags & _TRUN_FLAGS else 0
    times = _from_zero(durations, count)
    end = track.next_ticks + int(times[-1]) + (durations if isinstance(durations, int) else int(durations[-1]))
    if end >= 1 << 62:
        raise NotExactlyError("times beyond all bounds")
    times += track.next_ticks - track.shift
    if flags & _TRUN_COMPOSITION:
        times += rows[:, column].astype(np.uint32).view(np.int32)
    total = sizes * count if isinstance(sizes, int) else int(sizes.sum(dtype=np.int64))
    there = None
    if not media.holds(place, place + total):
        each = np.full(count, sizes, np.int64) if isinstance(sizes, int) else sizes.astype(np.int64)
        ends = place + np.cumsum(each)
        there = media.there(ends - each, ends)
    track.take(times, track.next_ticks, end, there)
    track.next_ticks = end
    return place + total


# Clocks.


def _marks(boxes: Boxes, tracks: list[_Track]) -> tuple[Mark, ...]:
    clocks = {
        track.number: media_clocks.Clock(index, track.timescale, track.shift)
        for index, track in enumerate(tracks)
        if track.kind != "other"
    }
    return tuple(media_clocks.marks(boxes.reference_times, clocks))


def _time_codes(
    file: BinaryIO, moov: bytes, tracks: list[_Track], made: ClaimedTime | None
) -> list[ClaimedTime | None]:
    found = []
    for track in tracks:
        described = next(inside(moov, track.tables[b"stsd"].body + 8, track.tables[b"stsd"].end), None)
        if described is not None and described.kind == b"tmcd" and track.promised:
            offsets, _ = _chunks(moov, track, _sizes(moov, track)[0])
            sample = os.pread(file.fileno(), 4, int(offsets[0]))
            found.append(media_clocks.time_code(moov, described.body, int.from_bytes(sample, "big"), made))
    return found


# The reading.


def _stream(index: int, track: _Track) -> StreamReading:
    found = media_stamps.stamps(
        track.times, track.timescale, wraps=False, lengths=track.lengths if track.entry.sample_bytes else None
    )
    declared = None
    if track.since is not None and track.until is not None and track.promised > len(track.times):
        declared = track.until - track.since
    return StreamReading(
        index=index,
        kind=track.kind,
        codec=track.entry.codec,
        time_base_num=1,
        time_base_den=track.timescale,
        packets=len(track.times),
        first_ticks=found.first_ticks,
        last_ticks=found.last_ticks,
        cadence=found.cadence,
        format=track.entry.format,
        reorder_frames=found.reorder_frames if track.kind == "video" else 0,
        resets=found.resets,
        declared_ticks=declared,
        hidden=track.hidden,
        trimmed=track.trimmed,
    )
