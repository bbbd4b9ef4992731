"""Samples that the index of an ISO base media file lists (``stbl``), and which of them the file holds.

* A sample's presentation time is its decoding time (``stts``) and its composition offset (``ctts``), moved by the edits.
  Samples outside them warm the decoder up and are dropped, as is what lies beyond their end.
* Pictures begin where the edit begins: the first one shown is moved there, as players do. Sound that straddles the beginning
  is kept at its place.
* A sample is there when the file holds all its bytes.
* Uncompressed sound is taken in packets of at most 1024 samples, so that its times do not depend on chunks.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.adapters.columns import deltas
from pipeline.adapters.media_av import NotExactlyError
from pipeline.adapters.media_bmff import Inner
from pipeline.adapters.media_mp4_track import MOST_SAMPLES, Column, Edit, Media, Track
from pipeline.domain.probe import StreamKind

_PCM_PACKET_SAMPLES: Final = 1024
_FURTHEST_OFFSET: Final = 1 << 28


def from_index(moov: bytes, track: Track, media: Media) -> None:
    """Add the samples that the index lists of *track*. Raises ``NotExactlyError``."""
    count, sizes = sizes_of(moov, track)
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
    if count > MOST_SAMPLES:
        raise NotExactlyError(f"{count} samples")
    durations: Column | int = int(stts[0, 1]) if stts.shape[0] == 1 else np.repeat(stts[:, 1], stts[:, 0])
    decoding = from_zero(durations, count)
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


def _trimmed(track: Track, shown: Column, durations: Column | int) -> tuple[int, int]:
    """What the file holds before the first edit and after the last, in ticks."""
    if not track.edits:
        return 0, 0
    last = durations if isinstance(durations, int) else int(durations[-1])
    first, end = track.edits[0].media_time, track.edits[-1].media_time + track.edits[-1].length
    return max(0, first - int(shown.min())), max(0, int(shown.max()) + last - end)


def from_zero(durations: Column | int, count: int) -> Column:
    """When each of *count* samples begins after the first."""
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


def sizes_of(moov: bytes, track: Track) -> tuple[int, Column | int]:
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


def chunks(moov: bytes, track: Track, count: int) -> tuple[Column, Column]:
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


def _there(moov: bytes, track: Track, count: int, sizes: Column | int, media: Media) -> npt.NDArray[np.bool_] | None:
    """Which samples lie in media data; ``None`` for all of them. Asked chunk by chunk first, which nearly always does."""
    offsets, counts = chunks(moov, track, count)
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


def _packets(moov: bytes, track: Track, count: int, media: Media) -> None:
    """Uncompressed sound: each chunk in packets of at most 1024 samples."""
    offsets, counts = chunks(moov, track, count)
    pieces = -(-counts // _PCM_PACKET_SAMPLES)
    total = int(pieces.sum())
    if total > MOST_SAMPLES:
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
