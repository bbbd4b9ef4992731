"""Samples of the fragments of an ISO base media file (``moof``): decoding times from ``tfdt`` and the durations of ``trun``.

Edits only move them, because an edit cannot name what is not written yet.
"""

from __future__ import annotations

import os
import struct
from array import array
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from pipeline.adapters.media_av import NotExactlyError
from pipeline.adapters.media_bmff import Boxes, Inner, inside
from pipeline.adapters.media_mp4_index import from_zero
from pipeline.adapters.media_mp4_track import MOST_SAMPLES, Column, Media, Track

_MOST_FRAGMENT_BYTES: Final = 16 << 20
_TFHD_BASE, _TFHD_ENTRY, _TFHD_DURATION, _TFHD_SIZE, _TFHD_FROM_MOOF = 0x1, 0x2, 0x8, 0x10, 0x20000
_TRUN_OFFSET, _TRUN_FIRST_FLAGS = 0x1, 0x4
_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION = 0x100, 0x200, 0x400, 0x800


def from_fragments(file: BinaryIO, boxes: Boxes, tracks: list[Track], media: Media) -> array[int]:
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
    data: bytes, traf: Inner, moof: int, after: int, tracks: dict[int, Track], boxes: Boxes, media: Media
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


def _run(data: bytes, trun: Inner, track: Track, base: int, place: int, duration: int, size: int, media: Media) -> int:
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
    if count > MOST_SAMPLES or len(track.times) + count > MOST_SAMPLES:
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
    times = from_zero(durations, count)
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
