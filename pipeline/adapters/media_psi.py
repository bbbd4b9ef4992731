"""Program tables of a transport stream (ISO/IEC 13818-1 2.4.4): which PID carries what, in which program.

Sections may be split over packets, several may share one, a table may change while the file runs: the newest adds what it
names, nothing is forgotten. A section whose checksum is wrong, or that is only announced for later, is passed over. What is
repeated unchanged costs one look.

The stream type says what a stream is; where it is a private one, its descriptors do, and where these are silent the stream
id of its PES packets (table 2-22), because cameras carry G.711 and motion JPEG so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.domain.probe import StreamKind

_MOST_SECTION_BYTES: Final = 4096
_MOST_REMEMBERED: Final = 1024
_PRIVATE: Final = 0x06
_MOST_CHANGES: Final = 8


class Coding(NamedTuple):
    """What a stream is; of :data:`PRIVATE` ones their PES packets decide."""

    kind: StreamKind
    codec: str


PRIVATE: Final = Coding("other", "")
_TYPES: Final = {
    0x01: Coding("video", "mpeg1video"),
    0x02: Coding("video", "mpeg2video"),
    0x03: Coding("audio", "mpeg"),
    0x04: Coding("audio", "mpeg"),
    0x05: Coding("other", "unknown"),
    0x0F: Coding("audio", "aac"),
    0x10: Coding("video", "mpeg4"),
    0x11: Coding("audio", "aac_latm"),
    0x15: Coding("other", "unknown"),
    0x1B: Coding("video", "h264"),
    0x24: Coding("video", "hevc"),
    0x33: Coding("video", "vvc"),
    0x81: Coding("audio", "ac3"),
    0x82: Coding("audio", "dca"),
    0x86: Coding("other", "unknown"),
    0x87: Coding("audio", "eac3"),
    0xEA: Coding("video", "vc1"),
}
_DESCRIPTORS: Final = {0x6A: Coding("audio", "ac3"), 0x7A: Coding("audio", "eac3"), 0x7B: Coding("audio", "dca")}
_SAID_OTHER: Final = (0x56, 0x59)
"""Teletext and subtitles."""
_REGISTRATIONS: Final = {
    b"AC-3": Coding("audio", "ac3"),
    b"EAC3": Coding("audio", "eac3"),
    b"Opus": Coding("audio", "opus"),
    b"BSSD": Coding("audio", "s302m"),
    b"HEVC": Coding("video", "hevc"),
    b"KLVA": Coding("other", "unknown"),
}


@dataclass(slots=True)
class Program:
    """One program: PID -> coding, in the order of its tables."""

    number: int
    streams: dict[int, Coding] = field(default_factory=dict)


class Tables:
    """The tables so far, fed with the packets of :attr:`pids`."""

    def __init__(self) -> None:
        self.pids: dict[int, int] = {0: 0}
        """PID -> number of the program whose table it carries (0: the table of programs)."""
        self.programs: dict[int, Program] = {}
        self.named: dict[int, int] = {}
        """Program number -> PID of its table."""
        self.changed: list[tuple[int, Coding, Coding, int]] = []
        """PIDs that a later table gives another coding: (PID, first, later, byte offset of the table)."""
        self._part: dict[int, bytearray] = {}
        self._seen: set[bytes] = set()

    @property
    def complete(self) -> bool:
        """Whether every program named has its table."""
        return bool(self.programs) and len(self.programs) == len(self.named)

    def see(self, pid: int, payload: bytes, begins: bool, byte_offset: int) -> None:
        """The next packet's payload on a PID of tables; *byte_offset*: where the packet is."""
        if begins and pid not in self._part and payload in self._seen:
            return
        for section in self._sections(pid, payload, begins):
            self._take(pid, section, byte_offset)
        if begins and pid not in self._part and len(self._seen) < _MOST_REMEMBERED:
            self._seen.add(payload)

    def _sections(self, pid: int, payload: bytes, begins: bool) -> Iterator[bytes]:
        """Sections that end in this packet (2.4.4.2: a pointer says where the first new one begins)."""
        part = self._part.pop(pid, None)
        if begins:
            start = 1 + payload[0] if payload else 0
            if part is not None:
                yield from _whole(part + payload[1:start])[0]
            part = bytearray(payload[start:])
        elif part is None:
            return
        else:
            part += payload
        found, left = _whole(part)
        yield from found
        if left and len(left) < _MOST_SECTION_BYTES:
            self._part[pid] = left

    def _take(self, pid: int, section: bytes, byte_offset: int) -> None:
        if len(section) < 12 or not section[5] & 1 or not _is_sound(section):
            return
        if pid == 0 and section[0] == 0x00:
            for i in range(8, len(section) - 7, 4):
                number = int.from_bytes(section[i : i + 2], "big")
                table = int.from_bytes(section[i + 2 : i + 4], "big") & 0x1FFF
                if number:
                    self.named[number] = table
                    self.pids.setdefault(table, number)
        elif pid and section[0] == 0x02:
            number = int.from_bytes(section[3:5], "big")
            program = self.programs.setdefault(number, Program(number))
            for stream, coding in _streams(section):
                before = program.streams.setdefault(stream, coding)
                if before != coding and len(self.changed) < _MOST_CHANGES:
                    change = (stream, before, coding, byte_offset)
                    if change not in self.changed:
                        self.changed.append(change)


def _whole(data: bytearray) -> tuple[list[bytes], bytearray]:
    """The whole sections *data* begins with, and the part of one after them; 0xFF is stuffing."""
    found: list[bytes] = []
    at = 0
    while at < len(data) and data[at] != 0xFF:
        end = at + 3 + ((data[at + 1] & 0x0F) << 8 | data[at + 2]) if at + 3 <= len(data) else len(data) + 1
        if end > len(data):
            return found, data[at:]
        found.append(bytes(data[at:end]))
        at = end
    return found, bytearray()


def _streams(section: bytes) -> Iterator[tuple[int, Coding]]:
    """PID and coding of each stream of a program's section; its last four bytes are its checksum."""
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    while at + 5 <= len(section) - 4:
        pid = int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        length = int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF
        yield pid, _coding(section[at], section[at + 5 : min(at + 5 + length, len(section) - 4)])
        at += 5 + length


def _coding(stream_type: int, descriptors: bytes) -> Coding:
    known = _TYPES.get(stream_type)
    if known is not None:
        return known
    at = 0
    while stream_type == _PRIVATE and at + 2 <= len(descriptors):
        tag, body = descriptors[at], descriptors[at + 2 : at + 2 + descriptors[at + 1]]
        if tag in _DESCRIPTORS:
            return _DESCRIPTORS[tag]
        if tag in _SAID_OTHER:
            return Coding("other", "unknown")
        if tag == 0x05 and body[:4] in _REGISTRATIONS:
            return _REGISTRATIONS[body[:4]]
        at += 2 + len(body)
    return PRIVATE


_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _is_sound(section: bytes) -> bool:
    """Whether the checksum at its end holds: CRC-32 as zlib has it, but with the bits the other way round (annex A)."""
    return zlib.crc32(section.translate(_REVERSED)) == 0xFFFFFFFF
