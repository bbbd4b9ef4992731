"""MPEG transport streams (ISO/IEC 13818-1), read directly: times, and the packets that are missing.

Whole columns of packets are worked on at once, 4 MiB at a time, so memory does not grow with the file beyond 8 bytes a
frame. Packets of 188 bytes, with 4 byte time codes before (192) or 16 parity bytes after (204), with garbage ahead.

Continuity counters, per PID: the counter rises by one with each packet that has a payload and stands still otherwise. The
same counter with the same bytes once more is a legal duplicate; with other bytes 15 packets are missing. A packet that
declares a discontinuity is exempt and counted as announced. Null packets have no counter. What is lost in multiples of 16
cannot be seen here.

Audio is read frame by frame (ADTS), because one PES packet holds several. What this reader does not read exactly (another
audio coding, a PES packet without a time, a split header, lost synchronisation) it leaves to PyAV, and the reading's
``reader`` says why. PCR and decoding times are not needed for the judgement and not read.
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
from pipeline.adapters.media_es import AdtsFrames, video_format
from pipeline.domain.probe import StreamKind
from pipeline.domain.reading import FileReading, PacketLoss, StreamReading, Truncation

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

_PACKET: Final = 188
_SYNC: Final = 0x47
_CHUNK_BYTES: Final = 4 << 20
_SEARCH_BYTES: Final = 64 << 10
_SURE: Final = 5
"""Sync bytes in a row that cannot be chance."""
_NULL_PID: Final = 0x1FFF
_TICKS_A_SECOND: Final = 90_000
_NO_TIME: Final = -1
_VIDEO: Final = {0x01: "mpeg1video", 0x02: "mpeg2video", 0x10: "mpeg4", 0x1B: "h264", 0x24: "hevc"}
_ADTS: Final = 0x0F
_DATA: Final = (0x05, 0x15, 0x86)
"""Stream types without sound or picture: private sections, timed metadata, splice messages."""


class Framing(NamedTuple):
    """Where the first sync byte is and how far apart they are."""

    start: int
    stride: int


def framing(head: bytes) -> Framing | None:
    """How transport packets lie in a file that begins so; ``None`` when they do not."""
    sync = np.frombuffer(head, np.uint8) == _SYNC
    found = []
    for stride in (188, 192, 204):
        count = min(_SURE, (len(head) - _PACKET) // stride + 1)
        places = min(_SEARCH_BYTES, len(head) - _PACKET - (count - 1) * stride + 1)
        if count < 2 or places <= 0:
            continue
        sure = np.logical_and.reduce([sync[k * stride : k * stride + places] for k in range(count)])
        if sure.any():
            found.append(Framing(int(sure.argmax()), stride))
    return min(found, default=None)


def read(path: Path, frame: Framing) -> FileReading:
    """The transport stream at *path*. Raises ``MediaUnreadable`` when PyAV has to read it and cannot."""
    scan = _Scan(path, frame)
    try:
        for chunk in scan.chunks():
            scan.see(chunk)
        streams = [stream for program in scan.programs for stream in scan.streams(program)]
        if not any(stream.packets for stream in streams):
            raise _NotExactlyError("no program with packets")
    except _NotExactlyError as exc:
        reading = media_av.read(path, reader=f"pyav (ts: {exc})")
        indexes: dict[int, int] = {}
    else:
        reading = FileReading(container="mpegts", reader="ts", streams=tuple(streams))
        indexes = scan.indexes
    return replace(
        reading,
        truncation=scan.truncation or reading.truncation,
        losses=tuple(replace(loss, stream=indexes.get(loss.pid)) for loss in scan.losses()),
        announced=scan.announced,
    )


class _NotExactlyError(Exception):
    """This reader does not read the file exactly; the text says why."""


class _Program(NamedTuple):
    number: int
    streams: dict[int, int]
    """PID -> stream type, in the order of its table."""


@dataclass(slots=True)
class _Counter:
    """One PID's continuity so far."""

    last: int | None = None
    row: bytes = b""
    doubled: bool = False
    lost: int = 0
    places: int = 0
    first_offset: int = 0


@dataclass(slots=True)
class _Chunk:
    """Some packets: ``data`` flat, ``at`` where each good packet starts in it, ``offset`` of the data in the file."""

    data: Bytes
    at: Rows
    offset: int
    pid: Rows
    unit_start: npt.NDArray[np.bool_]
    payload: npt.NDArray[np.bool_]
    announced: npt.NDArray[np.bool_]
    counter: Rows
    body: Rows
    """Where each packet's payload starts, from the packet's start."""


@dataclass(slots=True)
class _Times:
    """Presentation times of one PID's PES packets; ``_NO_TIME`` where there is none."""

    parts: list[Rows] = field(default_factory=list)
    split: bool = False


class _Scan:
    """What is gathered while the file goes by."""

    def __init__(self, path: Path, frame: Framing) -> None:
        self._path, self._frame = path, frame
        self._size_bytes = path.stat().st_size
        self._counters: dict[int, _Counter] = {}
        self._times: dict[int, _Times] = {}
        self._sound: dict[int, AdtsFrames] = {}
        self._formats: dict[int, str] = {}
        self.programs: list[_Program] = []
        self.announced: tuple[int, int] | None = None
        left = (self._size_bytes - frame.start) % frame.stride
        self.truncation: Truncation | None = None
        if 0 < left < _PACKET:
            self.truncation = Truncation(
                expected=f"whole packets of {_PACKET} bytes",
                found=f"{left} bytes of the last one",
                byte_offset=self._size_bytes - left,
            )

    @property
    def indexes(self) -> dict[int, int]:
        """PID -> index of the stream in the reading."""
        pids = [pid for program in self.programs for pid in program.streams]
        return {pid: index for index, pid in enumerate(pids)}

    def chunks(self) -> Iterator[_Chunk]:
        stride, start = self._frame.stride, self._frame.start
        size = _CHUNK_BYTES // stride * stride
        with self._path.open("rb") as file:
            file.seek(start)
            offset = start
            while True:
                raw = file.read(size)
                count = (len(raw) + stride - _PACKET) // stride
                if count <= 0:
                    return
                yield self._chunk(np.frombuffer(raw, np.uint8), count, offset)
                offset += len(raw)

    def _chunk(self, data: Bytes, count: int, offset: int) -> _Chunk:
        at = np.arange(count, dtype=np.int64) * self._frame.stride
        good = data[at] == _SYNC
        if not good.all():
            bad = np.flatnonzero(~good)  # one or two alone are damaged packets, their counters show them missing
            in_a_row = np.flatnonzero(bad[2:] - bad[:-2] == 2)
            if in_a_row.size:
                raise _NotExactlyError(f"synchronisation lost at byte {offset + int(at[bad[in_a_row[0]]])}")
            at = at[good]
        # The six header bytes of each packet side by side: one walk through the data instead of six.
        heads = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(data, 6)[at].T)
        second, control = heads[1], heads[3]
        adapts = (control & 0x20) != 0
        length = np.where(adapts, heads[4], 0).astype(np.int64)
        return _Chunk(
            data=data,
            at=at,
            offset=offset,
            pid=((second & 0x1F).astype(np.int64) << 8) | heads[2],
            unit_start=(second & 0x40) != 0,
            payload=(control & 0x10) != 0,
            announced=adapts & (length > 0) & ((heads[5] & 0x80) != 0),
            counter=(control & 0x0F).astype(np.int64),
            body=4 + np.where(adapts, length + 1, 0),
        )

    def see(self, chunk: _Chunk) -> None:
        """Take in the next packets."""
        doubled = self._count(chunk)
        if not self.programs:
            self._tables(chunk)
        self._pes(chunk, doubled)
        self._payloads(chunk, doubled)

    # Continuity counters.

    def _count(self, chunk: _Chunk) -> npt.NDArray[np.bool_]:
        """Follow each PID's counter; returns which packets are legal duplicates."""
        doubled = np.zeros(chunk.at.size, dtype=np.bool_)
        order = np.argsort(chunk.pid, kind="stable")
        edges = np.flatnonzero(np.diff(chunk.pid[order])) + 1
        for rows in np.split(order, edges):
            pid = int(chunk.pid[rows[0]])
            if pid != _NULL_PID:
                self._follow(chunk, rows, self._counters.setdefault(pid, _Counter()), doubled)
        return doubled

    def _follow(self, chunk: _Chunk, rows: Rows, state: _Counter, doubled: npt.NDArray[np.bool_]) -> None:
        counter, payload, announced = chunk.counter[rows], chunk.payload[rows], chunk.announced[rows].copy()
        begins = state.last is None
        before = np.concatenate(([counter[0] if state.last is None else state.last], counter[:-1]))
        step = (counter - before) & 15
        lost = np.where(payload, (step - 1) & 15, step)
        lost[announced] = 0
        if begins:
            lost[0] = 0
        for i in np.flatnonzero((step == 0) & payload & ~announced):
            if begins and i == 0:
                continue
            earlier = state.row if i == 0 else self._bytes(chunk, rows[i - 1])
            was_doubled = state.doubled if i == 0 else bool(doubled[rows[i - 1]])
            if not was_doubled and _without_clock(earlier) == _without_clock(self._bytes(chunk, rows[i])):
                lost[i] = 0
                doubled[rows[i]] = True
        self._note_announced(chunk, rows, announced, begins)
        if lost.any():
            if not state.places:
                state.first_offset = chunk.offset + int(chunk.at[rows[np.flatnonzero(lost)[0]]])
            state.lost += int(lost.sum())
            state.places += int(np.count_nonzero(lost))
        state.last, state.row, state.doubled = (
            int(counter[-1]),
            self._bytes(chunk, rows[-1]),
            bool(doubled[rows[-1]]),
        )

    def _note_announced(self, chunk: _Chunk, rows: Rows, announced: npt.NDArray[np.bool_], begins: bool) -> None:
        """Count declared discontinuities, but for one on a PID's very first packet, where there is nothing before it."""
        if begins:
            announced[0] = False
        if announced.any():
            count, first = self.announced or (0, chunk.offset + int(chunk.at[rows[np.flatnonzero(announced)[0]]]))
            self.announced = (count + int(announced.sum()), first)

    @staticmethod
    def _bytes(chunk: _Chunk, row: np.int64) -> bytes:
        at = int(chunk.at[row])
        return chunk.data[at : at + _PACKET].tobytes()

    def losses(self) -> Iterator[PacketLoss]:
        """Missing packets, in order of PID."""
        for pid, state in sorted(self._counters.items()):
            if state.places:
                yield PacketLoss(
                    pid=pid, stream=None, count=state.lost, places=state.places, byte_offset=state.first_offset
                )

    # Program tables.

    def _tables(self, chunk: _Chunk) -> None:
        """Find the programs: table 0 on PID 0 names each program's table, which names its streams (2.4.4)."""
        for section in self._sections(chunk, 0, 0x00):
            wanted = [
                (int.from_bytes(section[i : i + 2], "big"), int.from_bytes(section[i + 2 : i + 4], "big") & 0x1FFF)
                for i in range(8, len(section) - 7, 4)
            ]
            for number, pid in wanted:
                table = next(self._sections(chunk, pid, 0x02), None) if number else None
                if table is not None:
                    self.programs.append(_Program(number, _table_streams(table)))
            break
        if not self.programs:
            raise _NotExactlyError("no program table near the start")
        for program in self.programs:
            for pid, kind in program.streams.items():
                if kind == _ADTS:
                    self._sound[pid] = AdtsFrames()
                elif kind not in _VIDEO and kind not in _DATA:
                    raise _NotExactlyError(f"stream type 0x{kind:02x}")

    def _sections(self, chunk: _Chunk, pid: int, table: int) -> Iterator[bytes]:
        """Sections of one table that lie whole within a packet."""
        for row in np.flatnonzero((chunk.pid == pid) & chunk.unit_start & chunk.payload)[:16]:
            packet = self._bytes(chunk, row)
            body = int(chunk.body[row])
            start = body + 1 + packet[body] if body < _PACKET else _PACKET
            section = packet[start:]
            if len(section) > 8 and section[0] == table:
                length = 3 + ((section[1] & 0x0F) << 8 | section[2])
                if length <= len(section):
                    yield section[:length]

    # Times.

    def _pes(self, chunk: _Chunk, doubled: npt.NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(chunk.unit_start & chunk.payload & ~doubled & (chunk.body < _PACKET))
        pids = [pid for program in self.programs for pid in program.streams]
        rows = rows[np.isin(chunk.pid[rows], pids)]
        for pid in chunk.pid[rows[chunk.body[rows] + 14 > _PACKET]]:
            self._times.setdefault(int(pid), _Times()).split = True
        rows = rows[chunk.body[rows] + 14 <= _PACKET]
        at, data = chunk.at[rows] + chunk.body[rows], chunk.data
        is_pes = (data[at] == 0) & (data[at + 1] == 0) & (data[at + 2] == 1)
        rows, at = rows[is_pes], at[is_pes]
        b = [data[at + k].astype(np.int64) for k in range(9, 14)]
        time = ((b[0] >> 1 & 7) << 30) | (b[1] << 22) | ((b[2] >> 1) << 15) | (b[3] << 7) | (b[4] >> 1)
        time = np.where((data[at + 7] & 0x80) != 0, time, _NO_TIME)
        for pid in np.unique(chunk.pid[rows]):
            self._times.setdefault(int(pid), _Times()).parts.append(time[chunk.pid[rows] == pid])

    def _payloads(self, chunk: _Chunk, doubled: npt.NDArray[np.bool_]) -> None:
        """Sound goes through its frame reader, the first picture's parameters give the format."""
        raw = chunk.data.data
        for pid, frames in self._sound.items():
            rows = np.flatnonzero((chunk.pid == pid) & chunk.payload & ~doubled & (chunk.body < _PACKET))
            begins, ends = (chunk.at + chunk.body)[rows].tolist(), (chunk.at + _PACKET)[rows].tolist()
            for start, end, first in zip(begins, ends, chunk.unit_start[rows].tolist(), strict=True):
                frames.feed(bytes(raw[start:end]), first)
            frames.walk(last=False)
        for program in self.programs:
            for pid, kind in program.streams.items():
                if kind in (0x1B, 0x24) and pid not in self._formats:
                    rows = np.flatnonzero((chunk.pid == pid) & chunk.payload & ~doubled)[:64]
                    joined = b"".join(self._bytes(chunk, row)[int(chunk.body[row]) :] for row in rows)
                    self._formats[pid] = video_format(_VIDEO[kind], joined)

    # The reading.

    def streams(self, program: _Program) -> list[StreamReading]:
        """The program's streams; raises when one of them was not read exactly."""
        clock = self.programs.index(program)
        return media_stamps.aligned([self._stream(pid, kind, clock) for pid, kind in program.streams.items()])

    def _stream(self, pid: int, kind: int, clock: int) -> StreamReading:
        times = self._times.get(pid, _Times())
        if times.split:
            raise _NotExactlyError(f"a packet header of PID {pid} is split")
        what: StreamKind = "video" if kind in _VIDEO else "audio" if kind == _ADTS else "other"
        column: array[int]
        if kind == _ADTS:
            sound = self._sound[pid]
            sound.walk(last=True)
            column, missing, form = sound.times, sound.untimed, sound.format
        else:
            joined = np.concatenate(times.parts) if times.parts else np.empty(0, np.int64)
            missing = int(np.count_nonzero(joined == _NO_TIME))
            column, form = array("q", joined[joined != _NO_TIME].tobytes()), self._formats.get(pid, "")
        if missing and what != "other":
            raise _NotExactlyError(f"{missing} frames of PID {pid} without a time")
        found = media_stamps.stamps(column, _TICKS_A_SECOND, wraps=True)
        return StreamReading(
            index=self.indexes[pid],
            kind=what,
            codec=_VIDEO.get(kind) or ("aac" if kind == _ADTS else "unknown"),
            time_base_num=1,
            time_base_den=_TICKS_A_SECOND,
            packets=len(column) + missing,
            first_ticks=found.first_ticks,
            last_ticks=found.last_ticks,
            cadence=found.cadence,
            wraps_33=found.wraps_33,
            format=form,
            clock=clock,
            reorder_frames=found.reorder_frames if what == "video" else 0,
            resets=found.resets,
        )


def _without_clock(packet: bytes) -> bytes:
    """A packet's bytes but for its clock reference, which may differ in a duplicate (2.4.3.3)."""
    if len(packet) > 12 and packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10:
        return packet[:6] + packet[12:]
    return packet


def _table_streams(section: bytes) -> dict[int, int]:
    """PID -> stream type of a program map section; its last four bytes are its checksum."""
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    found: dict[int, int] = {}
    while at + 5 <= len(section) - 4:
        pid = int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        found[pid] = section[at]
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
    return found
