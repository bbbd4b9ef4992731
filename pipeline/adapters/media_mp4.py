"""ISO base media files (ISO/IEC 14496-12), read directly: the times of samples from the index
(:mod:`~pipeline.adapters.media_mp4_index`) and the fragments (:mod:`~pipeline.adapters.media_mp4_fragments`), and which of
the indexed samples are really there. No codec is opened and no media data is read.

Index entries beyond the end of a file that lost its tail are counted as lost, and their time as declared. Samples that lie
outside all media data are there, but not what they should be: the file is damaged or was put together wrongly, and that is
said.

What this reader does not read exactly (edits that go back, several edits over fragments, other speeds, unknown codings,
tables that contradict each other) raises :class:`NotExactlyError`, and PyAV reads the file. Memory: the index as it is in the
file, 8 bytes a sample, and a few copies while one stream is worked on; tables are bounded by the bytes they are stored in and
by ``MOST_SAMPLES``.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import replace
from itertools import pairwise
from typing import BinaryIO

from pipeline.adapters import media_av, media_clocks, media_stamps, media_udta
from pipeline.adapters.media_av import NotExactlyError
from pipeline.adapters.media_bmff import Boxes, identities, inside
from pipeline.adapters.media_mp4_fragments import from_fragments
from pipeline.adapters.media_mp4_index import chunks, from_index, sizes_of
from pipeline.adapters.media_mp4_track import Media, Track, tracks_of
from pipeline.domain.marks import Mark
from pipeline.domain.reading import FileReading, StreamReading, Truncation
from pipeline.domain.time import ClaimedTime


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
        tracks, movie = tracks_of(moov)
        if not any(track.kind != "other" for track in tracks):
            raise NotExactlyError("no sound or picture")
        media = Media(boxes)
        for track in tracks:
            from_index(moov, track, media)
        indexed = any(track.promised for track in tracks)
        numbers = from_fragments(file, boxes, tracks, media) if boxes.fragments else ()
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


def _init_bytes(boxes: Boxes, tracks: list[Track]) -> int | None:
    """Where the first fragment begins, if the index stands before it and each fragment can be told from itself."""
    first = min(boxes.fragments, default=0)
    if boxes.index is None or not first or boxes.index.end > first:
        return None
    return first if all(track.in_pieces for track in tracks) else None


def _marks(boxes: Boxes, tracks: list[Track]) -> tuple[Mark, ...]:
    clocks = {
        track.number: media_clocks.Clock(index, track.timescale, track.shift)
        for index, track in enumerate(tracks)
        if track.kind != "other"
    }
    return tuple(media_clocks.marks(boxes.reference_times, clocks))


def _time_codes(file: BinaryIO, moov: bytes, tracks: list[Track], made: ClaimedTime | None) -> list[ClaimedTime | None]:
    found = []
    for track in tracks:
        described = next(inside(moov, track.tables[b"stsd"].body + 8, track.tables[b"stsd"].end), None)
        if described is not None and described.kind == b"tmcd" and track.promised:
            offsets, _ = chunks(moov, track, sizes_of(moov, track)[0])
            sample = os.pread(file.fileno(), 4, int(offsets[0]))
            found.append(media_clocks.time_code(moov, described.body, int.from_bytes(sample, "big"), made))
    return found


def _stream(index: int, track: Track) -> StreamReading:
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
