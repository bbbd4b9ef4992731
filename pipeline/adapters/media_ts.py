"""MPEG transport streams (ISO/IEC 13818-1), read directly: times, and the packets that are missing.

Packets and their counters are :mod:`~pipeline.adapters.media_ts_packets`; memory does not grow with the file beyond 8 bytes a
frame.

Tables that come late are looked for first, so that what precedes them is read too. A PES header is gathered from as many
packets as it needs. Sound is read frame by frame where its coding is known, by PES packet otherwise; a picture is a PES
packet, and one without a time that begins no picture continues the one before. Sequence headers at the start of PES packets
are compared through the whole file: a change of format is told.

Not read, because the judgement has no use for it: decoding times (never present without a presentation time, table 2-21),
and clock references. Against bytes these say nothing where the rate varies; against presentation times they show what the
times themselves show, or a remultiplexer's habits.

What this reader does not read exactly it leaves to PyAV, and the reading's ``reader`` says why.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.adapters import media_av, media_stamps
from pipeline.adapters.columns import deltas, indices
from pipeline.adapters.media_av import NotExactlyError
from pipeline.adapters.media_es import FRAMED, SoundFrames, begins_picture, coding_of, pes_time, video_format
from pipeline.adapters.media_psi import PRIVATE, Coding, Tables
from pipeline.adapters.media_ts_packets import PACKET, PIDS, Chunk, Counters, Flags, Framing, PacketFile, Rows
from pipeline.domain.probe import StreamKind
from pipeline.domain.reading import FileReading, FormatChange, PacketLoss, StreamReading

_LATE_CHUNKS: Final = 8
"""How far tables that are still missing are waited for when some are there."""
_FEW_TABLES: Final = 5
"""So many are looked for one by one."""
_MOST_STREAMS: Final = 256
_PLACES: Final = 8
"""Places of loss kept for each PID."""
_MOST_CHANGES: Final = 8
_TICKS_A_SECOND: Final = 90_000
_NO_TIME: Final = -1
_HEADER: Final = np.arange(14)
"""A PES header up to its presentation time."""
_WHOLE: Final = np.arange(PACKET)
_WINDOW: Final = np.arange(64)
"""Where in a PES packet a sequence header is looked for: behind a delimiter at most."""


def read(path: Path, frame: Framing) -> FileReading:
    """The transport stream at *path*. Raises ``MediaUnreadable`` when PyAV has to read it and cannot."""
    scan = _Scan(path, frame)
    try:
        scan.run()
        streams = scan.streams()
    except NotExactlyError as exc:
        reading = media_av.read(path, reader=f"pyav (ts: {exc})")
        streams = []
    else:
        reading = FileReading(container="mpegts", reader="ts", streams=tuple(stream.reading for stream in streams))
    return replace(
        reading,
        container=reading.container if frame.stride == PACKET else f"{reading.container}-{frame.stride}",
        truncation=scan.file.truncation or reading.truncation,
        losses=tuple(scan.losses(streams)),
        announced=scan.counters.announced,
        foreign=scan.file.foreign,
        changes=tuple(scan.changes(streams)),
    )


class _Place(NamedTuple):
    """A place in a PID: byte offset, and how many of its PES packets began before."""

    byte_offset: int
    packets: int


@dataclass(slots=True)
class _Lost:
    """What one PID misses."""

    count: int = 0
    places: int = 0
    first: list[_Place] = field(default_factory=list)


@dataclass(slots=True)
class _Packets:
    """One PID's PES packets: their times (``_NO_TIME`` where there is none), the stream id of the first."""

    parts: list[Rows] = field(default_factory=list)
    count: int = 0
    stream_id: int = 0
    form: str = ""
    changes: list[tuple[_Place, str, str]] = field(default_factory=list)
    headers: dict[bytes, str] = field(default_factory=dict)
    part: bytes | None = None
    """A header that the last chunk cut."""


class _Stream(NamedTuple):
    """A stream as read, with what it takes to say where in it a PES packet lies."""

    pid: int
    reading: StreamReading
    places: tuple[int, ...]
    """Ticks after the first frame, for each place asked for."""


class _Scan:
    """What is gathered while the file goes by."""

    def __init__(self, path: Path, frame: Framing) -> None:
        self.file, self.counters = PacketFile(path, frame), Counters()
        self._lost: dict[int, _Lost] = {}
        self._tables = Tables()
        self._packets: dict[int, _Packets] = {}
        self._sound: dict[int, SoundFrames] = {}
        self._wanted = np.zeros(PIDS, dtype=np.bool_)
        self._codings: dict[int, Coding] = {}

    def run(self) -> None:
        """Read the file; twice as far as its tables are late."""
        chunks = self.file.chunks()
        head: list[Chunk] = []
        number = 0
        for number, chunk in enumerate(chunks):
            head = [chunk]
            self._read_tables(chunk)
            if self._tables.complete or (self._tables.programs and number >= _LATE_CHUNKS):
                break
        if not self._tables.programs:
            raise NotExactlyError("no program table")
        if number:
            chunks, head = self.file.chunks(), []
        for chunk in head:
            self._see(chunk)
        for chunk in chunks:
            self._read_tables(chunk)
            self._see(chunk)
        for frames in self._sound.values():
            frames.walk(last=True)

    def _see(self, chunk: Chunk) -> None:
        lost, doubled = self.counters.follow(chunk)
        self._follow_tables()
        usable = chunk.payload & self._wanted[chunk.pid] & (chunk.body < chunk.at + PACKET)
        usable[doubled] = False
        starts = indices(usable & chunk.unit_start)
        rows_of = {pid: starts[chunk.pid[starts] == pid] for pid in self._present(chunk.pid[starts])}
        for row, count in lost:
            pid = int(chunk.pid[row])
            state = self._lost.setdefault(pid, _Lost())
            state.count += count
            state.places += 1
            if len(state.first) < _PLACES:
                before = self._packets[pid].count if pid in self._packets else 0
                before += int(np.searchsorted(rows_of[pid], row)) if pid in rows_of else 0
                state.first.append(_Place(chunk.offset + int(chunk.at[row]), before))
        self._listen(chunk, rows_of, usable)
        self._read_sound(chunk, usable)
        self._finish_parts(chunk, usable)
        for pid, rows in rows_of.items():
            self._read_packets(chunk, pid, rows, usable)

    @staticmethod
    def _present(pids: npt.NDArray[np.uint16]) -> list[int]:
        return indices(np.bincount(pids)).tolist() if pids.size else []

    # Program tables.

    def _read_tables(self, chunk: Chunk) -> None:
        self._read_table(chunk, 0)
        if len(self._tables.pids) > _FEW_TABLES:
            wanted = np.zeros(PIDS, dtype=np.bool_)
            wanted[list(self._tables.pids)] = True
            present = self._present(chunk.pid[wanted[chunk.pid]])
        else:
            present = list(self._tables.pids)
        for pid in present:
            if pid:
                self._read_table(chunk, pid)

    def _read_table(self, chunk: Chunk, pid: int) -> None:
        rows = indices((chunk.pid == pid) & chunk.payload)
        if not rows.size:
            return
        packets = chunk.data[chunk.at[rows][:, None] + _WHOLE]
        packets[:, 3] &= 0xF0  # but for their counters
        if chunk.unit_start[rows[0]] and (packets == packets[0]).all():
            rows = rows[:1]
        for row in rows.tolist():
            begins = bool(chunk.unit_start[row])
            self._tables.see(pid, chunk.payload_of(row), begins, chunk.offset + int(chunk.at[row]))

    def _follow_tables(self) -> None:
        """Take up the streams that the tables name."""
        for program in self._tables.programs.values():
            for pid, coding in program.streams.items():
                if pid in self._codings:
                    continue
                if len(self._codings) >= _MOST_STREAMS:
                    raise NotExactlyError(f"more than {_MOST_STREAMS} streams")
                self._codings[pid] = coding
                self._wanted[pid] = True
                if coding.codec in FRAMED:
                    self._sound[pid] = SoundFrames(coding.codec)

    # PES packets.

    def _listen(self, chunk: Chunk, rows_of: dict[int, Rows], usable: Flags) -> None:
        """Take up private streams that begin with sound in a coding whose frames are read."""
        for pid, rows in rows_of.items():
            if pid in self._packets or self._codings[pid] != PRIVATE:
                continue
            start = self._joined(chunk, int(rows[0]), pid, usable, 32 * PACKET)
            if len(start) > 14 and _kind_by_id(start[3]) == "audio":
                codec = coding_of(start[9 + start[8] :])
                if codec:
                    self._codings[pid] = Coding("audio", codec)
                    self._sound[pid] = SoundFrames(codec)

    def _read_sound(self, chunk: Chunk, usable: Flags) -> None:
        raw = chunk.data.data
        for pid, frames in self._sound.items():
            rows = indices(usable & (chunk.pid == pid))
            begins, ends = chunk.body[rows], chunk.at[rows] + PACKET
            lengths = ends - begins
            starts = (np.cumsum(lengths) - lengths)[chunk.unit_start[rows]].tolist()
            payload = b"".join([raw[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)])
            frames.feed(payload, starts)
            frames.walk()

    def _read_packets(self, chunk: Chunk, pid: int, rows: Rows, usable: Flags) -> None:
        """Times of the PES packets that begin in *rows*, and what their sequence headers say."""
        state = self._packets.setdefault(pid, _Packets())
        data, at, ends = chunk.data, chunk.body[rows], chunk.at[rows] + PACKET
        whole = at + 14 <= ends
        split, last = rows[~whole].tolist(), int(rows[-1])
        if split:
            rows, at, ends = rows[whole], at[whole], ends[whole]
        head = data[at[:, None] + _HEADER].T.astype(np.int64)
        is_pes = (head[0] == 0) & (head[1] == 0) & (head[2] == 1)
        if not is_pes.all():
            rows, at, ends, head = rows[is_pes], at[is_pes], ends[is_pes], head[:, is_pes]
        times = np.where(head[7] & 0x80, pes_time(head[9:14]), _NO_TIME)
        stream = at + 9 + head[8]
        if rows.size and not state.stream_id:
            state.stream_id = int(head[3, 0])
        coding = self._codings[pid]
        if coding.kind == "video":
            self._read_headers(chunk, state, coding.codec, rows, stream, ends, usable)
            if not state.form and coding.codec in _SEQUENCE and (rows.size or split):
                first = min(rows[:1].tolist() + split[:1])
                state.form = video_format(coding.codec, self._joined(chunk, first, pid, usable, 64 * PACKET))
            untimed = indices(times == _NO_TIME)
            if untimed.size:
                keep = np.ones(rows.size, dtype=np.bool_)
                for i in untimed.tolist():
                    start = data[int(stream[i]) : min(int(stream[i]) + 8, int(ends[i]))].tobytes()
                    keep[i] = begins_picture(coding.codec, start)
                rows, times = rows[keep], times[keep]
        if split:
            gathered = [self._joined(chunk, row, pid, usable, 14) for row in split]
            if len(gathered[-1]) < 14 and split[-1] == last:
                state.part = gathered[-1]
                del split[-1], gathered[-1]
            rows = np.concatenate((rows, np.array(split, dtype=np.int64)))
            found = np.array([_time_in(head) for head in gathered], dtype=np.int64)
            times = np.concatenate((times, found))[np.argsort(rows, kind="stable")]
        state.parts.append(times)
        state.count += times.size

    @staticmethod
    def _joined(chunk: Chunk, row: int, pid: int, usable: Flags, size: int) -> bytes:
        """At least *size* bytes of the PES packet that begins in *row*, if the chunk has them."""
        joined = chunk.payload_of(row)
        if len(joined) < size:
            rows = chunk.rows_of.get(pid)
            if rows is None:
                rows = chunk.rows_of[pid] = indices(usable & (chunk.pid == pid))
            place = int(np.searchsorted(rows, row)) + 1
            for following in rows[place : place + size].tolist():
                if len(joined) >= size or chunk.unit_start[following]:
                    break
                joined += chunk.payload_of(following)
        return joined

    def _finish_parts(self, chunk: Chunk, usable: Flags) -> None:
        """Headers that the last chunk cut."""
        for pid, state in self._packets.items():
            if state.part is None:
                continue
            for row in indices(usable & (chunk.pid == pid)).tolist():
                if chunk.unit_start[row]:
                    break
                state.part += chunk.payload_of(row)
                if len(state.part) >= 14:
                    break
            else:
                continue
            state.parts.append(np.array([_time_in(state.part)], dtype=np.int64))
            state.count += 1
            state.part = None

    def _read_headers(
        self, chunk: Chunk, state: _Packets, codec: str, rows: Rows, stream: Rows, ends: Rows, usable: Flags
    ) -> None:
        """Compare the sequence headers at the start of PES packets; each different one is read once."""
        if codec not in _SEQUENCE or not rows.size:
            return
        mask, wanted = _SEQUENCE[codec]
        window = chunk.data[np.minimum(stream[:, None] + _WINDOW, ends[:, None] - 1)]
        found = (window[:, 2:-1] == 1) & (window[:, 1:-2] == 0) & (window[:, :-3] == 0)
        found &= window[:, 3:] & mask == wanted
        for i in indices(found.any(axis=1)).tolist():
            start = int(stream[i]) + int(found[i].argmax())
            header = chunk.data[start : min(start + 64, int(ends[i]))].tobytes()
            header = header[: max(header.find(b"\0\0\1", 3), 0) or None]
            form = state.headers.get(header)
            if form is None:
                row = int(rows[i])
                joined = self._joined(chunk, row, int(chunk.pid[row]), usable, 4 * PACKET)
                form = video_format(codec, joined[start - int(chunk.body[row]) :])
                if len(state.headers) < 1024:
                    state.headers[header] = form
            if form and form != state.form:
                if state.form:
                    place = _Place(chunk.offset + int(chunk.at[rows[i]]), state.count + i)
                    if len(state.changes) < _MOST_CHANGES:
                        state.changes.append((place, state.form, form))
                state.form = form

    # The reading.

    def streams(self) -> list[_Stream]:
        """The streams of all programs; a program none of whose streams is there was not recorded."""
        found: list[_Stream] = []
        taken: set[int] = set()
        programs = [p for p in self._tables.programs.values() if any(self._has_packets(pid) for pid in p.streams)]
        for clock, program in enumerate(programs):
            pids = [pid for pid in program.streams if pid not in taken]
            taken.update(pids)
            streams = [self._stream(pid, len(found) + i, clock) for i, pid in enumerate(pids)]
            moved = media_stamps.aligned([stream.reading for stream in streams])
            found += [stream._replace(reading=reading) for stream, reading in zip(streams, moved, strict=True)]
        if not any(stream.reading.packets for stream in found):
            raise NotExactlyError("no program with packets")
        return found

    def _has_packets(self, pid: int) -> bool:
        return pid in self._packets and self._packets[pid].count > 0

    def _asked(self, pid: int) -> list[_Place]:
        """Places on a PID of which it is asked when they are: losses, then changes of a picture's format."""
        state = self._packets.get(pid)
        lost = self._lost[pid].first if pid in self._lost else []
        return [*lost, *(place for place, _, _ in state.changes)] if state else []

    def _stream(self, pid: int, index: int, clock: int) -> _Stream:
        packets, coding = self._packets.get(pid, _Packets()), self._codings[pid]
        kind: StreamKind = coding.kind
        if coding == PRIVATE:
            kind = _kind_by_id(packets.stream_id)
        joined = np.concatenate(packets.parts) if packets.parts else np.empty(0, np.int64)
        timed = joined != _NO_TIME
        missing, longest = int(joined.size - np.count_nonzero(timed)), _longest(~timed)
        column, form, codec = array("q", joined[timed].tobytes()), packets.form, coding.codec or "unknown"
        asked = [min(place.packets, joined.size) for place in self._asked(pid)]
        places = [max(int(np.count_nonzero(timed[:at])) - 1, 0) for at in asked]
        sound = self._sound.get(pid)
        if sound is not None and 2 * len(sound.times) >= len(column):  # else its frames are none that we know
            column, missing, longest, form, codec = sound.times, sound.untimed, 0, sound.format, sound.codec
            longest = missing
            places = [sound.begins[max(min(at, len(sound.begins)) - 1, 0)] if sound.begins else 0 for at in asked]
            places += [frame for frame, _, _ in sound.changes[:_MOST_CHANGES]]
        found = media_stamps.stamps(column, _TICKS_A_SECOND, wraps=True, places=places)
        reading = StreamReading(
            index=index,
            kind=kind,
            codec="mp3" if codec == "mpeg" else codec,
            time_base_num=1,
            time_base_den=_TICKS_A_SECOND,
            packets=len(column) + missing,
            first_ticks=found.first_ticks,
            last_ticks=found.last_ticks,
            cadence=found.cadence,
            wraps_33=found.wraps_33,
            format=form,
            clock=clock,
            missing_pts=missing,
            longest_missing=longest,
            reorder_frames=found.reorder_frames if kind == "video" else 0,
            resets=found.resets,
        )
        return _Stream(pid, reading, found.places)

    def losses(self, streams: list[_Stream]) -> Iterator[PacketLoss]:
        """Missing packets, in order of PID."""
        by_pid = {stream.pid: stream for stream in streams}
        others, most = 0, _PLACES if streams else 4 * _PLACES
        for pid, lost in sorted(self._lost.items()):
            stream = by_pid.get(pid)
            others += not stream
            if not stream and others > most:  # damaged headers name any PID
                continue
            yield PacketLoss(
                pid=pid,
                stream=stream.reading.index if stream else None,
                count=lost.count,
                places=lost.places,
                byte_offset=lost.first[0].byte_offset,
                byte_offsets=tuple(place.byte_offset for place in lost.first),
                after_ticks=stream.places[0] if stream and stream.places else None,
                heard=stream.reading.kind != "other" if stream else not streams and pid not in self._tables.pids,
            )

    def changes(self, streams: list[_Stream]) -> Iterator[FormatChange]:
        """Formats that change inside a stream."""
        for stream in streams:
            lost = self._lost.get(stream.pid, _Lost())
            state, sound = self._packets.get(stream.pid, _Packets()), self._sound.get(stream.pid)
            found: list[tuple[int | None, str, str]] = [(p.byte_offset, a, b) for p, a, b in state.changes]
            if sound is not None:
                found = [(None, before, after) for _, before, after in sound.changes[:_MOST_CHANGES]]
            places = stream.places[len(lost.first) :]
            for (offset, before, after), ticks in zip(found, places, strict=False):
                yield FormatChange(
                    stream=stream.reading.index, before=before, after=after, byte_offset=offset, after_ticks=ticks
                )
            for pid, first, later, offset in self._tables.changed:
                if pid == stream.pid:
                    yield FormatChange(
                        stream=stream.reading.index,
                        before=first.codec or "private",
                        after=later.codec or "private",
                        byte_offset=offset,
                        after_ticks=None,
                    )


_SEQUENCE: Final = {"mpeg1video": (0xFF, 0xB3), "mpeg2video": (0xFF, 0xB3), "h264": (0x1F, 7), "hevc": (0x7E, 0x42)}
"""Mask and value of the byte after the start code of a sequence header; of H.265 that is its second parameter set."""


def _kind_by_id(stream_id: int) -> StreamKind:
    """What a private stream is by the stream id of its PES packets (table 2-22)."""
    if 0xC0 <= stream_id <= 0xDF:
        return "audio"
    return "video" if 0xE0 <= stream_id <= 0xEF else "other"


def _longest(missing: Flags) -> int:
    """The longest row of true values."""
    if not missing.any():
        return 0
    edges = indices(deltas(np.concatenate(([False], missing, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max())


def _time_in(head: bytes) -> int:
    """The presentation time in a PES header."""
    if len(head) < 14 or head[:3] != b"\0\0\1" or not head[7] & 0x80:
        return _NO_TIME
    return int(pes_time(np.frombuffer(head[9:14], np.uint8).astype(np.int64)))
