"""Packets of an MPEG transport stream (ISO/IEC 13818-1): where they lie, and which are missing.

Whole columns of packets are worked on at once, a few MiB at a time. Packets of 188 bytes, with 4 byte time codes before (192)
or 16 parity bytes after (204).

Garbage: what lies before the first packet is passed over. Where packets stop, the next place where five follow each other
is looked for, and what was skipped is told. One or two packets without their sync byte are damaged packets in place, and so
is one that its receiver marked as wrong: they are left out, and the counters show them missing.

Continuity counters, per PID: the counter rises by one with each packet that has a payload and stands still otherwise. The
same counter with the same bytes once more is a legal duplicate; with other bytes 15 packets are missing. A packet that
declares a discontinuity is exempt and counted as announced. Null packets have no counter. What is lost in multiples of 16
cannot be seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.adapters.columns import indices
from pipeline.adapters.media_av import NotExactlyError
from pipeline.domain.reading import Foreign, Truncation

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PACKET: Final = 188
PIDS: Final = 0x2000
_SYNC: Final = 0x47
_CHUNK_BYTES: Final = 4 << 20
_SEARCH_BYTES: Final = 64 << 10
_SURE: Final = 5
"""Sync bytes in a row that cannot be chance."""
_MOST_SEARCHES: Final = 1000
"""A file whose packets stop more often is not read here: each time costs as much as a chunk."""
_NULL_PID: Final = 0x1FFF


class Framing(NamedTuple):
    """Where the first sync byte is and how far apart they are."""

    start: int
    stride: int


def framing(head: bytes) -> Framing | None:
    """How transport packets lie in a file that begins so; ``None`` when they do not."""
    if len(head) >= _SURE * PACKET and head[: _SURE * PACKET : PACKET] == bytes([_SYNC]) * _SURE:
        return Framing(0, PACKET)
    found = (_first(head, stride) for stride in (188, 192, 204))
    return min((frame for frame in found if frame), default=None)


def _first(data: bytes, stride: int) -> Framing | None:
    """The first place from which sync bytes follow each other *stride* apart, to the end of *data* or for long enough."""
    sync = np.frombuffer(data, np.uint8) == _SYNC
    count = min(_SURE, (len(data) - PACKET) // stride + 1)
    places = len(data) - PACKET - (count - 1) * stride + 1
    if count < 2 or places <= 0:
        return None
    sure = np.logical_and.reduce([sync[k * stride : k * stride + places] for k in range(count)])
    at = int(sure.argmax())
    return Framing(at, stride) if sure[at] else None


@dataclass(slots=True)
class Chunk:
    """Some packets, until the next are read: ``data`` flat, ``at`` where each good packet starts in it, ``offset`` of the data
    in the file."""

    data: Bytes
    at: Rows
    offset: int
    pid: npt.NDArray[np.uint16]
    unit_start: Flags
    payload: Flags
    announced: Flags
    counter: npt.NDArray[np.uint8]
    body: Rows
    """Where each packet's payload starts in the data; at the packet's end when there is none."""
    rows_of: dict[int, Rows] = field(default_factory=dict)
    """Rows of a PID that can be used, once they were asked for."""

    def bytes_of(self, row: int) -> bytes:
        """The whole packet."""
        return self.data[int(self.at[row]) : int(self.at[row]) + PACKET].tobytes()

    def payload_of(self, row: int) -> bytes:
        """What the packet carries."""
        return self.data[int(self.body[row]) : int(self.at[row]) + PACKET].tobytes()


class PacketFile:
    """The packets of the file at *path*. ``foreign`` and ``truncation``: what was met beside packets, once all were read."""

    def __init__(self, path: Path, frame: Framing) -> None:
        self._path, self._frame = path, frame
        self._size_bytes = path.stat().st_size
        self.foreign: Foreign | None = None
        self.truncation: Truncation | None = None

    def chunks(self) -> Iterator[Chunk]:
        """All of them from the beginning, resynchronised where they stop. Raises ``NotExactlyError``."""
        stride = self._frame.stride
        self.foreign, self.truncation = None, None
        offset, searches = self._frame.start, 0
        size = _CHUNK_BYTES // stride * stride
        buffer = np.empty(min(size, self._size_bytes), np.uint8)
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            while True:
                data = buffer[: file.readinto(buffer.data)]
                count = (data.size + stride - PACKET) // stride
                if count <= 0:
                    self._cut(offset, data.size)
                    return
                first = np.ndarray(count, ">u4", data, strides=(stride,)).astype(np.uint32)  # one walk through the data
                synced = first >> 24 == _SYNC
                stops = _stops(synced, whole=data.size < size)
                if stops is None and not synced[-1]:  # the next chunk shows whether it goes on
                    rows = int(indices(synced)[-1]) + 1
                    yield self._chunk(data, first[:rows], offset)
                    offset += rows * stride
                    file.seek(offset)
                    continue
                if stops is None:
                    self._cut(offset + count * stride, data.size - count * stride)
                    yield self._chunk(data, first, offset)
                    offset += data.size
                    continue
                if stops:
                    yield self._chunk(data, first[:stops], offset)
                searches += 1
                if searches > _MOST_SEARCHES:
                    raise NotExactlyError(f"synchronisation lost {searches} times")
                lost = offset + stops * stride
                offset = self._search(file, lost)
                if offset < 0:
                    return
                file.seek(offset)

    def _search(self, file: FileIO, lost: int) -> int:
        """Where packets go on after *lost*; -1 when they do not."""
        at = lost
        while True:
            file.seek(at)
            raw = file.read(_SEARCH_BYTES)
            found = _first(raw, self._frame.stride)
            if found is not None:
                skipped = at + found.start - lost
                before = self.foreign or Foreign(places=0, count_bytes=0, byte_offset=lost)
                self.foreign = replace(before, places=before.places + 1, count_bytes=before.count_bytes + skipped)
                return at + found.start
            if len(raw) < _SEARCH_BYTES:
                self.truncation = Truncation(
                    expected="transport packets to the end of the file",
                    found=f"{self._size_bytes - lost} bytes that are none",
                    byte_offset=lost,
                )
                return -1
            at += _SEARCH_BYTES - _SURE * self._frame.stride

    def _cut(self, offset: int, left: int) -> None:
        if 0 < left < PACKET:
            self.truncation = Truncation(
                expected=f"whole packets of {PACKET} bytes",
                found=f"{left} bytes of the last one",
                byte_offset=offset,
            )

    def _chunk(self, data: Bytes, first: npt.NDArray[np.uint32], offset: int) -> Chunk:
        """The packets whose *first* four bytes are good."""
        good = first & 0xFF800000 == _SYNC << 24
        at = np.arange(first.size, dtype=np.int64) * self._frame.stride
        if not good.all():
            at, first = at[good], first[good]
        body, announced = at + 4, np.zeros(at.size, dtype=np.bool_)
        adapts = indices(first & 0x20)
        field = at[adapts] + 4
        length = data[field]
        body[adapts] = np.minimum(field + 1 + length, at[adapts] + PACKET)
        announced[adapts] = (length > 0) & (data[field + 1] & 0x80 != 0)
        return Chunk(
            data=data,
            at=at,
            offset=offset,
            pid=(first >> 8 & 0x1FFF).astype(np.uint16),
            unit_start=first & 0x400000 != 0,
            payload=first & 0x10 != 0,
            announced=announced,
            counter=(first & 0x0F).astype(np.uint8),
            body=body,
        )


class Counters:
    """Each PID's continuity counter, followed. ``announced``: how many breaks were declared, and where the first is."""

    def __init__(self) -> None:
        self._last = np.full(PIDS, -1, dtype=np.int16)
        self._before: dict[int, tuple[bytes, bool]] = {}
        """Each PID's last packet, and whether it was a duplicate."""
        self.announced: tuple[int, int] | None = None

    def follow(self, chunk: Chunk) -> tuple[list[tuple[int, int]], list[int]]:
        """(row, packets missing before it) where some are, and the rows that are duplicates."""
        if not chunk.at.size:
            return [], []
        order = np.argsort(chunk.pid, kind="stable")
        pid, counter, payload = chunk.pid[order], chunk.counter[order], chunk.payload[order]
        begins = indices(np.concatenate(([True], pid[1:] != pid[:-1])))
        ends = np.append(begins[1:], pid.size) - 1
        step = np.empty_like(counter)
        step[1:] = counter[1:] - counter[:-1]
        known = self._last[pid[begins]]
        step[begins] = np.where(known < 0, payload[begins], counter[begins] - known).astype(np.uint8)
        step &= 15
        lost: list[tuple[int, int]] = []
        doubled: set[int] = set()
        new = set(order[begins[known < 0]].tolist())
        odd = indices((step != payload) & (pid != _NULL_PID))
        first = set(begins.tolist())
        for i in odd.tolist():
            row = int(order[i])
            if chunk.announced[row]:
                continue
            missing = (int(step[i]) - 1) & 15 if payload[i] else int(step[i])
            if payload[i] and step[i] == 0:
                if i in first:
                    before, was_doubled = self._before[int(pid[i])]
                else:
                    before, was_doubled = chunk.bytes_of(int(order[i - 1])), int(order[i - 1]) in doubled
                if not was_doubled and _without_clock(before) == _without_clock(chunk.bytes_of(row)):
                    doubled.add(row)
                    continue
            lost.append((row, missing))
        self._note_announced(chunk, new)
        self._last[pid[begins]] = counter[ends]
        for which, row in zip(pid[begins].tolist(), order[ends].tolist(), strict=True):
            self._before[which] = (chunk.bytes_of(row), row in doubled)
        return sorted(lost), sorted(doubled)

    def _note_announced(self, chunk: Chunk, new: set[int]) -> None:
        """Count declared discontinuities, but for one on a PID's very first packet, where there is nothing before it."""
        rows = [row for row in indices(chunk.announced).tolist() if row not in new]
        if rows:
            count, first = self.announced or (0, chunk.offset + int(chunk.at[rows[0]]))
            self.announced = (count + len(rows), first)


def _stops(synced: Flags, *, whole: bool) -> int | None:
    """The row at which packets stop: three in a row that are none, or any at the end of the *whole* file."""
    if synced.all():
        return None
    bad = ~synced
    three = bad[:-2] & bad[1:-1] & bad[2:]
    if three.any():
        return int(three.argmax())
    if whole and bad[-1]:
        return int(indices(synced)[-1]) + 1 if synced.any() else 0
    return None


def _without_clock(packet: bytes) -> bytes:
    """A packet's bytes but for its clock reference, which may differ in a duplicate (2.4.3.3)."""
    if len(packet) > 12 and packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10:
        return packet[:6] + packet[12:]
    return packet
